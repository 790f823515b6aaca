"""The pages, one line each. A page is ``views/<name>.py`` with a function ``render``."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamlit.navigation.page import Page


class Entry(NamedTuple):
    """A page.

    ``has_view`` tells whether links to it carry the window and filters; of ``roles``, a visitor needs one.
    With one of ``details`` in its address it shows one thing, whatever the window is.
    """

    name: str
    title: str
    icon: str
    group: str
    has_view: bool = False
    hidden: bool = False
    roles: tuple[str, ...] = ("read",)
    details: tuple[str, ...] = ()


ENTRIES: Final = (
    Entry("dashboard", "Dashboard", "monitoring", "Observe", has_view=True),
    Entry("logs", "Logs", "list_alt", "Observe", has_view=True),
    Entry("analytics", "Analytics", "query_stats", "Observe", has_view=True),
    Entry("trace", "Traces", "account_tree", "Observe", has_view=True, details=("trace", "session")),
    Entry("chat", "Chat", "forum", "Talk", roles=("chat",)),
    Entry("conversations", "Conversations", "inbox", "Talk", roles=("read", "chat")),
    Entry("operations", "Operations", "dns", "Run", has_view=True),
    Entry("setup", "Setup", "cable", "Run"),
)
ROLES_OF: Final = {entry.name: entry.roles for entry in ENTRIES}
_REGISTERED: Final = "pages"


def register() -> Page:
    """Tell Streamlit of the pages that there are; return the one to run."""
    pages = {entry.name: _to_page(entry) for entry in ENTRIES if _is_there(entry)}
    st.session_state[_REGISTERED] = pages
    # The sidebar has links of its own, which carry the window and the filters.
    return st.navigation(list(pages.values()), position="hidden")


def registered() -> Mapping[str, Page]:
    """Return the pages by name; none where a page runs alone, in a test."""
    pages: Mapping[str, Page] = st.session_state.get(_REGISTERED, {})
    return pages


def _is_there(entry: Entry) -> bool:
    return find_spec(f"streamlit_app.views.{entry.name}") is not None


def _to_page(entry: Entry) -> Page:
    return st.Page(
        import_module(f"streamlit_app.views.{entry.name}").render,
        title=entry.title,
        icon=f":material/{entry.icon}:",
        url_path=entry.name,
        default=entry is ENTRIES[0],
        visibility="hidden" if entry.hidden else "visible",
    )

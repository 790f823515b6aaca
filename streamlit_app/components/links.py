"""Links between pages. They carry the window, the filters and what else a page needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import streamlit as st

from streamlit_app.components.safe_text import literal
from streamlit_app.pages import ENTRIES, ROLES_OF, registered
from streamlit_app.roles import may

if TYPE_CHECKING:
    from streamlit_app.state.view import View

_ICON: Final = ":material/arrow_forward:"


def page_link(
    label: str, page: str, view: View | None = None, *, icon: str = _ICON, hint: str = "", **parameters: str
) -> None:
    """Show a link to a page, by its name in ``pages.py``; nothing if the visitor cannot open it."""
    if can_open(page):
        st.page_link(
            registered()[page],
            label=literal(label),
            icon=icon,
            help=literal(hint) or None,
            query_params=_query(view, parameters),
            width="content",
        )


def can_open(page: str) -> bool:
    """Return whether there is a page of that name, and the visitor has a role that opens it."""
    return page in registered() and may(*ROLES_OF[page])


def open_page(page: str, view: View | None = None, **parameters: str) -> None:
    """Leave for another page."""
    st.switch_page(registered()[page], query_params=_query(view, parameters))


def page_url(page: str, view: View | None = None, **parameters: str) -> str:
    """Return the address of a page, for link columns and to be copied."""
    here = urlsplit(st.context.url or "")
    known = registered()
    # The app may be served under a path: the address of this page tells, less the name of this page.
    base, _, last = here.path.rstrip("/").rpartition("/")
    prefix = base if last in known else here.path.rstrip("/")
    path = "" if page == ENTRIES[0].name else page  # the first page is where the app itself is
    query = urlencode(_query(view, parameters), doseq=True)
    return f"{here.scheme}://{here.netloc}{prefix}/{path}" + (f"?{query}" if query else "")


def _query(view: View | None, parameters: dict[str, str]) -> dict[str, list[str]]:
    carried = view.to_query() if view else {}
    return carried | {key: [value] for key, value in parameters.items() if value}

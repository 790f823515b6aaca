"""What a visitor sees of a page, or an action, that the key or their own roles do not allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from streamlit_app.components.header import plain_header
from streamlit_app.components.safe_text import literal, small
from streamlit_app.data.caller import key_error
from streamlit_app.roles import may, why_not

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from streamlit_app.pages import Entry


def may_open(entry: Entry) -> bool:
    """Return whether the visitor may open a page; if not, say why, and what to do."""
    error = key_error()
    if error is not None:
        plain_header(entry.title)
        st.error(
            "The server accepts no call of this app: it sends no API key, or one that is unknown, expired or "
            "revoked. Make one with `llm-observe keys create --role read --role chat --role admin`, set "
            f"LLM_OBSERVE_UI_API_KEY to it, and restart the app. {small(error.reason)}",
            icon=":material/key_off:",
        )
        return False
    reason = why_not(*entry.roles)
    if reason is not None:
        plain_header(entry.title)
        st.info(literal(reason), icon=":material/lock:")
    return reason is None


def role_button(
    label: str,
    role: str,
    *,
    icon: str,
    key: str,
    kind: Literal["primary", "secondary"] = "secondary",
    disabled: bool = False,
    on_click: Callable[[], None] | None = None,
) -> bool:
    """Show a button that needs a role, or says that it does; return whether it was pressed.

    ``on_click`` is called before the page is drawn again, as Streamlit does.
    """
    reason = why_not(role)

    def click() -> None:
        # A browser could press what is disabled: the roles of who signed in are checked nowhere else.
        if on_click is not None and may(role):
            on_click()

    pressed = st.button(
        literal(label), icon=icon, key=key, type=kind, disabled=disabled or not may(role),
        help=literal(reason) if reason else None, on_click=click,
    )  # fmt: skip
    return pressed and may(role)

"""Dialogs that are opened from a part of a page that refreshes by itself.

Such a part cannot show a dialog: its next refresh would close it. So it says which one to open, and the
page, when it runs again, shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from collections.abc import Callable

_OPEN: Final = "open_dialog"
_OPENED_COUNT: Final = "opened_dialogs"
_MESSAGE: Final = "dialog_message"


def open_dialog(show: Callable[[], None]) -> None:
    """Run the page again, with this dialog. ``show`` is a function decorated by ``st.dialog``."""
    st.session_state[_OPEN] = show
    st.session_state[_OPENED_COUNT] = opened_count() + 1
    st.rerun()


def opened_count() -> int:
    """Return how many dialogs were opened: in the key of a table, it unselects what opened the last one."""
    count: int = st.session_state.get(_OPENED_COUNT, 0)
    return count


def forget_dialog() -> None:
    """Show the dialog no longer. For ``on_dismiss``."""
    st.session_state.pop(_OPEN, None)


def close_dialog(message: str = "") -> None:
    """Run the page again, without the dialog, and say in a few words what it has done."""
    forget_dialog()
    st.session_state[_MESSAGE] = message
    st.rerun()


def show_open_dialog() -> None:
    """Show the dialog that is open, if any, and what the last one has done."""
    message = st.session_state.pop(_MESSAGE, "")
    if message:
        st.toast(literal(message), icon=":material/check_circle:")
    show = st.session_state.get(_OPEN)
    if show:
        show()

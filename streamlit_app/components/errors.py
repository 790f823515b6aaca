"""How pages tell of failed calls: in one place each, with a way out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import streamlit as st
import structlog

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.safe_text import literal, small
from streamlit_app.data.connection import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from streamlit_app.data.connection import ServerError
    from streamlit_app.data.reads import Read, Reads

_ICON: Final = ":material/cloud_off:"
logger = structlog.get_logger("streamlit_app")


@contextmanager
def unexpected_errors() -> Iterator[None]:
    """Show a sentence instead of an exception, which goes to the log."""
    try:
        yield
    except Exception:
        logger.exception("page_failed")
        st.error(
            "This page failed, which is a bug: the log of the app says why. The rest of the app still works.",
            icon=":material/bug_report:",
        )
        st.button("Try again", icon=":material/refresh:", key="retry_page")


def show_error(error: ServerError, *, retry: bool = True) -> None:
    """Show a failed call: a sentence, what to do, and small, to be looked up, the reason."""
    st.error(f"{literal(sentence(error))} {small(error.reason)}", icon=_ICON)
    if retry:
        # Any click runs the page, or the fragment of it that failed, again.
        st.button("Retry", icon=":material/refresh:", key=f"retry_{error.reason}")


def show_connection_state(reads: Reads) -> bool:
    """Tell of a server that does not answer. Return whether there is something to show below.

    With numbers from before, a bar says since when they are stale. Without, there is only the error.
    """
    error = reads.unreachable
    if error is None:
        return True
    since = reads.stale_since
    if since is None:
        show_error(error)
        return False
    show_stale(error, since)
    return True


def show_stale(error: ServerError, since: datetime) -> None:
    """Say that the numbers below are old, why, and what to do."""
    with st.container(horizontal=True, vertical_alignment="center", key="stale"):
        st.warning(
            f"**Stale since {literal(fmt.clock_time(since, clock.viewer_zone()))}.** "
            f"{literal(error.message)} "
            f"Trying again every {settings().refresh_s:g} s; run `llm-observe status` to find the cause. "
            f"{small(error.reason)}",
            icon=_ICON,
            width="stretch",
        )
        st.button("Retry", icon=":material/refresh:", key="retry")


def show_panel_state(read: Read[object]) -> bool:
    """Tell of a panel's own error, in the panel. Return whether it has a value to show."""
    if read.error and read.value is None:
        st.caption(f":material/error: {literal(sentence(read.error))} {small(read.error.reason)}")
    elif read.error and read.read_time and not read.error.unreachable:
        since = fmt.clock_time(read.read_time, clock.viewer_zone())
        st.caption(f":orange[:material/history: as of {literal(since)}] · {literal(sentence(read.error))}")
    return read.value is not None


def sentence(error: ServerError) -> str:
    """Return what a failed call says, as a sentence; for a server that does not answer, with what to do."""
    if error.unreachable:
        return f"{error.message} Is it running? Run llm-observe status to find out."
    text = error.message.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."

"""The drawer: one call beside the list it is in. Which call stands in the URL, as ``log``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app.components.errors import show_error
from streamlit_app.components.links import page_url
from streamlit_app.components.rerun import rerun_fragment
from streamlit_app.components.safe_text import literal
from streamlit_app.data import analytics
from streamlit_app.data.reads import read_together
from streamlit_app.panels.log_details import (
    show_badges,
    show_call,
    show_fields,
    show_links,
    show_numbers,
)
from streamlit_app.panels.trace import read_calls, show_trace
from streamlit_app.state.view import current_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.analytics_service_pb2 import GetLogResponse
    from llm_observe.v1.log_pb2 import Log

    from streamlit_app.state.view import View

PARAMETER: Final = "log"
_LISTED: Final = "listed_logs"
_WIDTH_PX: Final = 760
_NOT_FOUND: Final = frozenset({"LOG_NOT_FOUND", "INVALID_FIELD"})


def open_log_id() -> str:
    """Return the id of the call that is open; empty if none is."""
    return st.query_params.get(PARAMETER, "")


def open_log(log_id: str) -> None:
    """Open a call: the drawer is there after the next run."""
    st.query_params[PARAMETER] = log_id


def remember_listed(log_ids: Sequence[str]) -> None:
    """Remember which calls are listed, so that the drawer can go to the next and the previous one."""
    st.session_state[_LISTED] = tuple(log_ids)


def listed_logs() -> tuple[str, ...]:
    """Return the ids of the calls that were listed last."""
    listed: tuple[str, ...] = st.session_state.get(_LISTED, ())
    return listed


def _close() -> None:
    st.query_params.pop(PARAMETER, None)


@st.dialog("Call", width=_WIDTH_PX, position="right", icon=":material/receipt_long:", on_dismiss=_close)
def show_drawer() -> None:
    """Show the call that is open."""
    log_id, view = open_log_id(), current_view()
    if not log_id:
        st.rerun()
    with read_together("drawer", log_id) as reads:
        answer = reads.start("log", lambda: analytics.get_log(log_id))
    if answer.value is None:
        if answer.error and answer.error.reason in _NOT_FOUND:
            _show_not_found(log_id)
        elif answer.error:
            show_error(answer.error)
        return
    _show_neighbours(log_id, view)
    _show(answer.value, view)


def _show(answer: GetLogResponse, view: View) -> None:
    log = answer.log
    show_badges(log)
    show_numbers(answer)
    show_links(log, view)
    call, trace, fields = st.tabs(["Call", "Trace", "Fields"], key="drawer_tab", on_change="rerun")
    if call.open:
        with call:
            show_call(log)
    if trace.open:
        with trace:
            _show_trace(log)
    if fields.open:
        with fields:
            show_fields(log)


def _show_trace(log: Log) -> None:
    if not (log.trace_id or log.session_id):
        st.info("This call belongs to no trace and no session.")
        return
    with read_together("drawer trace", log.trace_id or log.session_id) as reads:
        calls = reads.start("calls", lambda: read_calls(log.trace_id, log.session_id))
    if calls.value is None:
        if calls.error:
            show_error(calls.error)
        return
    words = "trace" if log.trace_id else "session: this call has no trace id"
    st.caption(literal(f"Calls of the same {words}"))
    picked = show_trace(
        calls.value, selected=log.log_id, title=f"Calls of the same {words}", key="drawer_trace",
        is_session=not log.trace_id,
    )  # fmt: skip
    if picked and picked != log.log_id:
        open_log(picked)
        rerun_fragment()


def _show_neighbours(log_id: str, view: View) -> None:
    listed = listed_logs()
    at = listed.index(log_id) if log_id in listed else None
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="neighbours"):
        for words, icon, key, step in (
            ("Newer", "arrow_upward", "k", -1),
            ("Older", "arrow_downward", "j", 1),
        ):
            place = None if at is None else at + step
            exists = place is not None and 0 <= place < len(listed)
            st.button(
                literal(words),
                icon=f":material/{icon}:",
                key=f"neighbour_{key}",
                shortcut=key,
                disabled=not exists,
                on_click=open_log,
                args=(listed[place] if exists and place is not None else "",),
            )
        if at is not None:
            st.caption(literal(f"{at + 1} of {len(listed)} on this page"), width="content")
        st.space("stretch")
        with st.popover("Link", icon=":material/link:"):
            st.code(page_url("logs", view, log=log_id), language=None, wrap_lines=True)


def _show_not_found(log_id: str) -> None:
    st.markdown(
        "**There is no such call.** It may not have been stored yet, it may have been deleted, its time to "
        "be kept may have ended, or the link may be cut. It may also belong to another project."
    )
    st.code(log_id, language=None, wrap_lines=True)

"""Trace: where did the time and the money go? Shows ``?trace=``, the calls of ``?session=``, or a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app.components.empty import read_with_placeholders
from streamlit_app.components.errors import show_connection_state, show_panel_state
from streamlit_app.components.header import page_header, plain_header
from streamlit_app.components.links import page_link
from streamlit_app.components.rerun import rerun_fragment
from streamlit_app.components.safe_text import literal
from streamlit_app.data import analytics
from streamlit_app.data.reads import read_together
from streamlit_app.panels.log_details import show_badges, show_call, show_links, show_numbers
from streamlit_app.panels.trace import read_calls, show_trace
from streamlit_app.panels.trace_list import show_trace_list
from streamlit_app.state.filters import Filters
from streamlit_app.state.view import View, last_view
from streamlit_app.state.window import Window

if TYPE_CHECKING:
    from streamlit_app.panels.trace import Calls

_PLACEHOLDERS: Final = (70, 400)


def render() -> None:
    """Show the page."""
    trace_id, session_id = st.query_params.get("trace", ""), st.query_params.get("session", "")
    if not (trace_id or session_id):
        show_trace_list(page_header("Traces", "trace", filter_keys=(), refreshes=False))
        return
    with plain_header("Trace" if trace_id else "Session"):
        filters = Filters(trace=(trace_id,)) if trace_id else Filters(session=(session_id,))
        page_link("Logs of this", "logs", View(Window("30d"), filters), icon=":material/list_alt:")
    st.caption(literal(trace_id or session_id))
    st.fragment(_show_calls, key="calls")(trace_id, session_id)


def _show_calls(trace_id: str, session_id: str) -> None:
    with read_with_placeholders("trace", (trace_id, session_id), _PLACEHOLDERS) as reads:
        calls = reads.start("calls", lambda: read_calls(trace_id, session_id))
    if not show_connection_state(reads) or not show_panel_state(calls) or calls.value is None:
        return
    if not calls.value.logs:
        _show_nothing()
        return
    selected = st.query_params.get("log", "")
    picked = show_trace(
        calls.value, selected=selected, title="Calls of the trace", key="waterfall", is_session=not trace_id
    )
    if picked and picked != selected:
        st.query_params["log"] = picked
        rerun_fragment()
    _show_selected(calls.value, selected)


def _show_nothing() -> None:
    with st.container(border=True, key="no_match"):
        st.markdown("**No call of this trace is stored.**")
        st.caption("It may not have arrived yet, its time to be kept may have ended, or the link may be cut.")
        st.button("Look again", icon=":material/refresh:", key="retry")


def _show_selected(calls: Calls, log_id: str) -> None:
    if not any(log.log_id == log_id for log in calls.logs):
        st.caption("Click on a call to see what was asked and answered.")
        return
    with read_together("trace call", log_id) as reads:
        answer = reads.start("log", lambda: analytics.get_log(log_id))
    with st.container(border=True, key="selected_call"):
        if show_panel_state(answer) and answer.value:
            show_badges(answer.value.log)
            show_numbers(answer.value)
            show_links(answer.value.log, last_view(), with_trace=False)
            show_call(answer.value.log)

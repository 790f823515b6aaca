"""The list of traces: what ran, how long it took, and what its calls took together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.choices import is_on_in_url, show_switch
from streamlit_app.components.empty import read_with_placeholders
from streamlit_app.components.errors import show_connection_state, show_panel_state
from streamlit_app.components.links import page_link, page_url
from streamlit_app.components.safe_text import literal
from streamlit_app.data import analytics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.trace_service_pb2 import Trace

_PLACEHOLDERS: Final = (400,)
_FAILED: Final = "failed"
_NAME: Final = "root"
_MAX_CHARS: Final = 200


def show_trace_list() -> None:
    """Show the last day's traces, with what narrows them."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="trace_tools")
    with row:
        name = _name_box()
        show_switch(row, "Failed only", _FAILED, hint="Traces in which the root or a call failed")
    failed = is_on_in_url(_FAILED)
    with read_with_placeholders("traces", (name, failed), _PLACEHOLDERS) as reads:
        answer = reads.start("traces", lambda: analytics.list_traces(name, errors_only=failed))
    if not show_connection_state(reads) or not show_panel_state(answer) or answer.value is None:
        return
    traces = list(answer.value.traces)
    if not traces:
        _show_nothing(is_narrowed=bool(name or failed))
        return
    _show_table(traces)
    more = "The newest" if answer.value.next_page_token else "All"
    st.caption(literal(f"{more} {fmt.exact(len(traces))} of the last 24 hours."))


def _name_box() -> str:
    widget = "trace_name"
    st.session_state[widget] = st.query_params.get(_NAME, "")[:_MAX_CHARS]
    text: str = st.text_input(
        "Name", key=widget, max_chars=_MAX_CHARS, placeholder="in the name of the root", on_change=_keep
    )
    return text.strip()


def _keep() -> None:
    if name := st.session_state["trace_name"].strip():
        st.query_params[_NAME] = name
    else:
        st.query_params.pop(_NAME, None)


def _show_table(traces: Sequence[Trace]) -> None:
    rows = [_row(trace) for trace in traces]
    link = st.column_config.LinkColumn("Trace", display_text="Open")
    st.dataframe(rows, hide_index=True, column_config={"Trace": link})


def _row(trace: Trace) -> dict[str, str | int]:
    return {
        "Trace": page_url("trace", trace=trace.trace_id),
        "When": fmt.ago(fmt.timestamp(trace.start_time), clock.now()),
        "Root": trace.root_name,
        "Service": trace.service_name or fmt.NOTHING,
        "Duration": fmt.duration(fmt.seconds(trace.duration) if trace.HasField("duration") else None),
        "Calls": trace.call_count,
        "Steps": trace.span_count,
        "Errors": trace.error_count,
        "Tokens": fmt.compact(trace.total_token_count)
        if trace.HasField("total_token_count")
        else fmt.NOTHING,
        "Cost": fmt.money(trace.cost_nano_usd) if trace.HasField("cost_nano_usd") else fmt.NOTHING,
    }


def _show_nothing(*, is_narrowed: bool) -> None:
    if is_narrowed:
        st.info("No trace of the last 24 hours is like that.", icon=":material/account_tree:")
        return
    st.info(
        "No trace of the last 24 hours is stored. Open a trace from a call on the Logs page, or send traces:"
        " the Setup page says how.",
        icon=":material/account_tree:",
    )
    page_link("Logs", "logs")
    page_link("Setup", "setup")

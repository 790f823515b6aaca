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

    from streamlit_app.components.header import Header

_PLACEHOLDERS: Final = (400,)
_FAILED: Final = "failed"
_NAME: Final = "root"
_MAX_CHARS: Final = 200
_ROW_PX: Final = 32


def show_trace_list(header: Header) -> None:
    """Show the newest traces of the window, with what narrows them."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="trace_tools")
    with row:
        name = _name_box()
        show_switch(row, "Failed only", _FAILED, hint="Traces in which the root or a call failed")
    failed = is_on_in_url(_FAILED)
    window = header.view.window
    with read_with_placeholders("traces", (window, name, failed), _PLACEHOLDERS) as reads:
        now = clock.now()
        time_range = window.bounds(now).to_time_range(now)
        answer = reads.start("traces", lambda: analytics.list_traces(time_range, name, errors_only=failed))
    header.show_updated(answer.read_time)
    if not show_connection_state(reads) or not show_panel_state(answer) or answer.value is None:
        return
    traces = list(answer.value.traces)
    if not traces:
        _show_nothing(is_narrowed=bool(name or failed))
        return
    _show_table(traces)
    st.caption(literal(_count(len(traces), has_more=bool(answer.value.next_page_token))))


def _count(count: int, *, has_more: bool) -> str:
    if has_more:
        return f"The newest {fmt.exact(count)} of this window: narrow it to see others."
    return f"{fmt.exact(count)} trace{'' if count == 1 else 's'} in this window."


def _name_box() -> str:
    widget = "trace_name"
    st.session_state[widget] = st.query_params.get(_NAME, "")[:_MAX_CHARS]
    text: str = st.text_input(
        "Name",
        key=widget,
        max_chars=_MAX_CHARS,
        placeholder="part of the name of the first span",
        on_change=_keep,
    )
    return text.strip()


def _keep() -> None:
    if name := st.session_state["trace_name"].strip():
        st.query_params[_NAME] = name
    else:
        st.query_params.pop(_NAME, None)


def _show_table(traces: Sequence[Trace]) -> None:
    column = st.column_config
    count = column.NumberColumn(format="localized", width=70)
    st.dataframe(
        [_row(trace) for trace in traces],
        hide_index=True,
        row_height=_ROW_PX,
        height=_ROW_PX * (len(traces) + 1) + 6,
        placeholder=fmt.NOTHING,
        column_config={
            "When": column.DatetimeColumn(
                format="DD MMM HH:mm:ss", timezone=str(clock.viewer_zone()), width=116
            ),
            "Trace": column.LinkColumn(display_text="Open", width=60),
            "Root": column.TextColumn(
                width="medium", help="The name of its first span, or of its first call"
            ),
            "Duration": column.NumberColumn(format="%,.0f ms", width=92),
            "Calls": count,
            "Steps": column.NumberColumn(format="localized", width=70, help="Spans that are no calls"),
            "Errors": count,
            "Tokens": column.NumberColumn(format="localized", width=84),
            "Cost": column.NumberColumn(format="$%.5f", width=84, help="Of calls whose price is known"),
        },
        alt=f"{len(traces)} traces",
    )


def _row(trace: Trace) -> dict[str, object]:
    return {
        "When": fmt.timestamp(trace.start_time),
        "Trace": page_url("trace", trace=trace.trace_id),
        "Root": trace.root_name,
        "Service": trace.service_name or None,
        "Duration": fmt.seconds(trace.duration) * 1000 if trace.HasField("duration") else None,
        "Calls": trace.call_count,
        "Steps": trace.span_count,
        "Errors": trace.error_count,
        "Tokens": trace.total_token_count if trace.HasField("total_token_count") else None,
        "Cost": trace.cost_nano_usd / 1e9 if trace.HasField("cost_nano_usd") else None,
    }


def _show_nothing(*, is_narrowed: bool) -> None:
    if is_narrowed:
        st.info("No trace of this window is like that.", icon=":material/account_tree:")
        return
    st.info(
        "No trace of this window is stored. Open a trace from a call on the Logs page, or send traces:"
        " the Setup page says how.",
        icon=":material/account_tree:",
    )
    page_link("Logs", "logs")
    page_link("Setup", "setup")

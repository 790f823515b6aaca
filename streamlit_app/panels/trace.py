"""The calls of a trace or a session: their sums and their waterfall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, cast

import streamlit as st

from streamlit_app import format as fmt
from streamlit_app.components.choices import chosen_in_url, is_on_in_url, show_choice, show_switch
from streamlit_app.components.safe_text import literal, small
from streamlit_app.components.waterfall import show_waterfall
from streamlit_app.data import analytics
from streamlit_app.traces.rows import Head, Order, merge, to_head, to_rows
from streamlit_app.traces.scale import Scale
from streamlit_app.traces.spans import spans_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.log_pb2 import Log
    from llm_observe.v1.span_pb2 import Span

ORDERS: Final = {"time": "By time", "duration": "By duration"}


class Calls(NamedTuple):
    """The calls that are shown together, oldest first."""

    logs: list[Log]
    is_whole: bool
    """False if there are more than were read."""
    steps: Sequence[Span] = ()
    """The spans around them."""


def read_calls(trace_id: str, session_id: str) -> Calls:
    """Return the calls of a trace, or of a session where there is no trace id. Raises ServerError."""
    if trace_id:
        trace = analytics.get_trace(trace_id)
        return Calls(list(trace.logs), not trace.truncated, trace.spans)
    session = analytics.list_session(session_id)
    return Calls(list(reversed(session.logs)), not session.next_page_token)


def show_trace(calls: Calls, *, selected: str, title: str, key: str, is_session: bool) -> str:
    """Show sums, controls and waterfall; return the log that was clicked on, empty if none was."""
    spans = spans_of(calls.logs, calls.steps)
    _show_head(to_head(spans))
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    with row:
        show_choice(row, "Order", "sort", ORDERS, "time")
        show_switch(row, "Only LLM calls", "llm", hint="Leave out everything else, and the tree with it")
        waits = "full" if is_session else "short"
        show_switch(
            row,
            "Full waits" if is_session else "Shorten waits",
            waits,
            hint="Whether time in which nothing ran is drawn as long as it was",
        )
    scale = Scale(merge(spans), shorten_waits=is_on_in_url(waits) != is_session)
    rows = to_rows(
        spans,
        scale,
        order=cast("Order", chosen_in_url("sort", ORDERS, "time")),
        calls_only=is_on_in_url("llm"),
    )
    picked = show_waterfall(rows, scale, selected=selected, title=title, key=key)
    if not calls.is_whole:
        which = "latest" if is_session else "first"
        st.caption(literal(f"The {which} {fmt.exact(len(spans))} calls; there are more."))
    return picked


def _show_head(head: Head) -> None:
    cost = fmt.cost(head.cost_nano_usd or 0, head.calls - head.unpriced, head.unpriced)
    numbers = [
        ("Total", fmt.duration(head.total_s)),
        ("Calls", fmt.exact(head.calls)),
        ("In LLM calls", fmt.percent(head.llm_share)),
        ("Tokens", fmt.compact(head.tokens)),
        ("Cost", cost),
        ("Errors", fmt.exact(head.errors)),
    ]
    show_facts(numbers, alarms=["Errors"] if head.errors else [])


def show_facts(facts: Sequence[tuple[str, str]], *, alarms: Sequence[str] = ()) -> None:
    """Show a few numbers in a row, smaller than cards."""
    with st.container(horizontal=True, gap="medium"):
        for label, value in facts:
            if label in alarms:
                st.markdown(f"{small(label)}  \n:red[**{literal(value)}**]", width="content")
            else:
                st.markdown(f"{small(label)}  \n**{literal(value)}**", width="content")

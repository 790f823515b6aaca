"""Dashboard: is it fine? If not: since when, who, and what does it cost?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from streamlit_app import clock
from streamlit_app.colours import palette
from streamlit_app.components.charts import steps_of
from streamlit_app.components.empty import read_with_placeholders, show_no_match
from streamlit_app.components.errors import show_connection_state, show_panel_state
from streamlit_app.components.header import page_header
from streamlit_app.data import analytics
from streamlit_app.panels.latency import show_latency
from streamlit_app.panels.requests import show_requests
from streamlit_app.panels.summary import show_summary
from streamlit_app.state.filters import METRIC_KEYS

if TYPE_CHECKING:
    from llm_observe.v1 import analytics_service_pb2 as pb

    from streamlit_app.components.header import Header
    from streamlit_app.data.reads import Read
    from streamlit_app.state.view import View


class _Panels(NamedTuple):
    """Everything that the page shows, read for one and the same window."""

    query: analytics.Query
    summary: Read[pb.GetSummaryResponse]
    overall: Read[pb.QueryTimeSeriesResponse]
    by_group: Read[pb.QueryTimeSeriesResponse]


def render() -> None:
    """Show the page; its numbers refresh by themselves."""
    header = page_header("Dashboard", "dashboard")
    st.fragment(_show_numbers, run_every=header.refresh_s, key="numbers")(header)


def _show_numbers(header: Header) -> None:
    view = header.view.metrics_only()
    query = analytics.to_query(view, clock.now())
    with read_with_placeholders("dashboard", view, [150, 330, 300]) as reads:
        panels = _Panels(
            query,
            reads.start("summary", lambda: analytics.get_summary(query)),
            reads.start("overall", lambda: analytics.query_time_series(query)),
            reads.start("by_group", lambda: analytics.query_time_series(query, "provider")),
        )
    header.show_updated(panels.summary.read_time)
    if show_connection_state(reads):
        _show_panels(header.view, panels)


def _show_panels(view: View, panels: _Panels) -> None:
    colours, zone, bounds = palette(), clock.viewer_zone(), panels.query.bounds
    overall = panels.overall.value
    steps = steps_of(overall, overall.series[0] if overall.series else None, bounds) if overall else []
    if panels.summary.value and not panels.summary.value.current.request_count:
        show_no_match(view, keys=METRIC_KEYS)
        return
    if show_panel_state(panels.summary) and panels.summary.value:
        show_summary(panels.summary.value, steps)
    left, right = st.columns(2)
    with left.container(border=True):
        st.header("Latency", anchor=False)
        if show_panel_state(panels.overall):
            show_latency(steps, bounds, colours, zone)
    with right.container(border=True):
        st.header("Requests", anchor=False)
        if show_panel_state(panels.by_group) and panels.by_group.value:
            show_requests(panels.by_group.value, steps, bounds, colours, zone)

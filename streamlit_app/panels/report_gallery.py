"""The reports as tiles: what each answers, grouped by what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app.components.links import page_link
from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_observe.v1.report_service_pb2 import Report

    from streamlit_app.state.view import View

_TOPICS: Final = {
    "Cost": {
        "cost": "payments", "cost-by-day": "calendar_month", "cost-forecast": "trending_up",
        "cache-savings": "savings", "expensive-calls": "receipt_long", "unpriced-models": "money_off",
    },
    "Speed": {
        "latency-percentiles": "speed", "hours-of-day": "schedule", "slow-calls": "hourglass_bottom",
        "tokens-per-second": "bolt", "ttft-by-output-length": "scatter_plot",
    },
    "Errors": {
        "error-rates": "error", "error-clusters": "bubble_chart", "retry-storms": "cyclone",
        "cancelled-calls": "cancel", "finish-reasons": "flag",
    },
    "Use": {
        "daily-summary": "today", "week-over-week": "compare_arrows", "growing-users": "group_add",
        "token-distribution": "bar_chart", "sessions": "forum", "session-lengths": "straighten",
    },
}  # fmt: skip
_OTHERS: Final = "More"
_ICON: Final = "query_stats"
_TILE_PX: Final = 250


def topics(reports: Mapping[str, Report]) -> dict[str, list[Report]]:
    """Return all reports by what they are about; those of a newer server under "More"."""
    found = {topic: [reports[name] for name in names if name in reports] for topic, names in _TOPICS.items()}
    known = {name for names in _TOPICS.values() for name in names}
    found[_OTHERS] = [report for name, report in reports.items() if name not in known]
    return {topic: members for topic, members in found.items() if members}


def icon_of(name: str) -> str:
    """Return the icon of a report."""
    return next((names[name] for names in _TOPICS.values() if name in names), _ICON)


def show_gallery(reports: Mapping[str, Report], view: View) -> None:
    """Show a tile for each report; a click opens it."""
    for topic, members in topics(reports).items():
        with st.container(key=f"topic_{topic.lower()}"):
            st.header(literal(topic), anchor=False)
        with st.grid(3, min_column_width=_TILE_PX, gap="small"):
            for report in members:
                with st.container(border=True, height="stretch", gap="xxsmall", key=f"tile_{report.name}"):
                    icon = f":material/{icon_of(report.name)}:"
                    page_link(report.title, "analytics", view, icon=icon, report=report.name)
                    st.caption(literal(report.description))

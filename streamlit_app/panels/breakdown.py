"""The table of groups: who makes the calls, how well they do, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import streamlit as st

from analytics.result_files import to_csv
from streamlit_app import format as fmt
from streamlit_app import metrics as of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from llm_observe.v1.analytics_service_pb2 import (
        Metrics,
        QueryBreakdownResponse,
    )
    from streamlit.elements.lib.column_types import ColumnConfig

    from streamlit_app.state.window import Bounds

DIMENSIONS: Final = {
    "provider": "Provider", "model": "Model", "op": "Operation", "env": "Environment", "user": "User",
}  # fmt: skip
WITH_COURSE: Final = frozenset({"provider", "model", "op", "env"})
"""Dimensions of which the server has numbers over time."""
_TREND_POINTS: Final = 24
_SMALL_NANO_USD: Final = 10**9


def course_step(bounds: Bounds) -> timedelta:
    """Return a step by which a course has about 24 points: a multiple of the window's own step."""
    times = max(1, round((bounds.end - bounds.start) / bounds.step / _TREND_POINTS))
    return bounds.step * times


def show_breakdown(
    dimension: str,
    answer: QueryBreakdownResponse,
    *,
    before: QueryBreakdownResponse | None,
    courses: Mapping[str, list[float]],
    key: str,
) -> str | None:
    """Show the table; return the group that was clicked on."""
    previous = {row.group: row.metrics for row in before.rows} if before else {}
    title = DIMENSIONS[dimension]
    rows = [
        {title: row.group or "(none)"}
        | _numbers(row.metrics, previous.get(row.group), answer.total, courses.get(row.group))
        for row in answer.rows
    ]
    shown = st.dataframe(
        rows,
        hide_index=True,
        row_height=32,
        placeholder=fmt.NOTHING,
        column_config=_columns(title, answer.total),
        on_select="rerun",
        selection_mode="single-cell",
        key=f"breakdown {dimension} {key}",
        alt=f"Numbers by {title.lower()}",
    )
    cells = shown.selection.cells
    return answer.rows[cells[0][0]].group if cells and cells[0][0] < len(answer.rows) else None


def breakdown_csv(dimension: str, answer: QueryBreakdownResponse) -> bytes:
    """Return the groups as CSV, in the units of the CSV of logs; what is not known is empty."""
    name = DIMENSIONS[dimension].lower()
    return to_csv(
        pa.Table.from_pylist([{name: row.group} | _exact_numbers(row.metrics) for row in answer.rows])
    )


def _exact_numbers(metrics: Metrics) -> dict[str, int | None]:
    return {
        "request_count": metrics.request_count,
        "success_count": metrics.success_count,
        "error_count": metrics.error_count,
        "cancelled_count": metrics.cancelled_count,
        "p50_latency_us": _microseconds(of.p50_latency, metrics),
        "p95_latency_us": _microseconds(of.p95_latency, metrics),
        "p99_latency_us": _microseconds(of.p99_latency, metrics),
        "p50_time_to_first_token_us": _microseconds(of.first_token, metrics),
        "input_token_count": metrics.input_token_count,
        "output_token_count": metrics.output_token_count,
        "total_token_count": metrics.total_token_count,
        "cost_nano_usd": of.known_cost(metrics),
        "priced_count": metrics.priced_count,
        "unpriced_count": metrics.unpriced_count,
    }


def _microseconds(number: Callable[[Metrics], float | None], metrics: Metrics) -> int | None:
    value = number(metrics)
    return None if value is None else round(value * 1e6)


def _numbers(
    metrics: Metrics, before: Metrics | None, total: Metrics, course: list[float] | None
) -> dict[str, object]:
    # On a phone there is room for the first two or three.
    return {
        "Requests": metrics.request_count,
        "Requests over time": course,
        "Share": _percent(metrics.request_count / max(1, total.request_count)),
        "Change": _relative(metrics.request_count, before.request_count if before else None),
        "Error rate": _percent(of.error_rate(metrics)),
        "p50": _milliseconds(of.p50_latency, metrics),
        "p95": _milliseconds(of.p95_latency, metrics),
        "First token p50": _milliseconds(of.first_token, metrics),
        "Tokens": metrics.total_token_count,
        "Cost": metrics.cost_nano_usd / 1e9 if metrics.priced_count else None,
        "Unpriced": _percent(metrics.unpriced_count / max(1, metrics.request_count)),
    }


def _columns(title: str, total: Metrics) -> dict[str, ColumnConfig | None]:
    column = st.column_config
    dollars = "$%,.2f" if total.cost_nano_usd >= _SMALL_NANO_USD else "$%.5f"
    duration = column.NumberColumn(format="%,.0f ms")
    unpriced = column.NumberColumn(format=fmt.PERCENT_COLUMN, help="Calls whose price is not known")
    return {
        title: column.TextColumn(pinned=True, width=190),
        "Requests": column.NumberColumn(format="localized", width=80),
        "Requests over time": column.AreaChartColumn(y_min=0, width=130),
        "Share": column.ProgressColumn(format=fmt.PERCENT_COLUMN, min_value=0, max_value=100, width=120),
        "Change": column.NumberColumn(format="%+.1f %%", help="Requests, against the window before"),
        "Error rate": column.NumberColumn(format=fmt.PERCENT_COLUMN),
        "p50": duration,
        "p95": duration,
        "First token p50": duration,
        "Tokens": column.NumberColumn(format="localized"),
        "Cost": column.NumberColumn(format=dollars, help="Of the calls whose price is known"),
        "Unpriced": unpriced if total.unpriced_count else None,
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _milliseconds(number: Callable[[Metrics], float | None], metrics: Metrics) -> float | None:
    value = number(metrics)
    return None if value is None else value * 1000


def _relative(current: int, before: int | None) -> float | None:
    return (current - before) / before * 100 if before else None

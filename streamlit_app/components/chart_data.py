"""The numbers of a chart as a table, for those who do not see the chart, or want to read it exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app import metrics as of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from llm_observe.v1.analytics_service_pb2 import Metrics
    from streamlit.delta_generator import DeltaGenerator
    from streamlit.elements.lib.column_types import ColumnConfig

    from streamlit_app.components.charts import Step

TableRow = dict[str, object]
_HEIGHT: Final = 320
_WIDTH: Final = 620
_DURATIONS: Final[Mapping[str, Callable[[Metrics], float | None]]] = {
    "p50": of.p50_latency,
    "p95": of.p95_latency,
    "p99": of.p99_latency,
    "First token p50": of.first_token,
}


def show_data_button(row: DeltaGenerator, key: str, rows: Callable[[], Sequence[TableRow]]) -> None:
    """Show a button in a panel's row that opens the numbers; ``rows`` makes them once it is open."""
    with row.popover(
        "",
        icon=":material/table_rows:",
        type="tertiary",
        help="Show data",
        on_change="rerun",
        key=f"data_{key}",
    ) as popover:
        if popover.open:
            st.dataframe(
                list(rows()),
                hide_index=True,
                height=_HEIGHT,
                width=_WIDTH,
                placeholder=fmt.NOTHING,
                column_config=_columns(),
                key=f"data_table_{key}",
                alt="The numbers of the chart",
            )


def step_rows(
    steps: Sequence[Step],
    groups: Mapping[str, Sequence[Step]],
    releases: Mapping[datetime, str] | None = None,
) -> list[TableRow]:
    """Return the numbers of each step, newest first: of all calls, and the requests of each group.

    ``releases`` names those that began in a step, by its start.
    """
    counts = {
        f"Requests: {name or '(none)'}": {
            step.start: step.metrics.request_count for step in of_group if step.metrics
        }
        for name, of_group in groups.items()
    }
    rows = [_row(step, counts) for step in reversed(steps)]
    if releases:
        for row, step in zip(rows, reversed(steps), strict=True):
            row["New release"] = releases.get(step.start)
    return rows


def _row(step: Step, counts: Mapping[str, Mapping[datetime, int]]) -> TableRow:
    row: TableRow = {"From": step.start, "Requests": 0}
    if step.metrics:
        row.update(_numbers(step.metrics))
    row.update({name: found.get(step.start, 0) for name, found in counts.items()})
    return row


def _numbers(metrics: Metrics) -> TableRow:
    durations = {name: number(metrics) for name, number in _DURATIONS.items()}
    cost = of.known_cost(metrics)
    return {
        "Requests": metrics.request_count,
        "Failed": metrics.error_count,
        "Cancelled": metrics.cancelled_count,
        **{name: None if value is None else value * 1000 for name, value in durations.items()},
        "Cost": None if cost is None else cost / 1e9,
    }


def _columns() -> dict[str, ColumnConfig | None]:
    column = st.column_config
    zone = str(clock.viewer_zone())
    return {
        "From": column.DatetimeColumn(format="DD MMM HH:mm:ss", timezone=zone, pinned=True),
        "Cost": column.NumberColumn(format="$%.5f", help="Of calls whose price is known"),
        **{name: column.NumberColumn(format="%,.0f ms") for name in _DURATIONS},
    }

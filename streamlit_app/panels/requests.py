"""Requests over time, stacked by a dimension, and failed ones in a strip below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt

from streamlit_app import format as fmt
from streamlit_app.colours import colour_of
from streamlit_app.components.charts import (
    PICK,
    RANGE,
    Row,
    Step,
    count_axis,
    drag_over_time,
    hover_layer,
    show_chart,
    steps_of,
    time_axis,
    time_row,
    when_tooltips,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from llm_observe.v1.analytics_service_pb2 import QueryTimeSeriesResponse

    from streamlit_app.colours import Palette
    from streamlit_app.state.window import Bounds

_HEIGHT: Final = 176
_ERRORS_HEIGHT: Final = 74
OTHERS: Final = "other"


def show_requests(
    answer: QueryTimeSeriesResponse,
    overall: Sequence[Step],
    bounds: Bounds,
    colours: Palette,
    zone: tzinfo,
) -> Mapping[str, object]:
    """Show both charts; return what is selected."""
    selection = show_chart(
        _requests_chart(_group_rows(answer, bounds, zone), answer, bounds, colours),
        height=_HEIGHT,
        key="requests",
        alt_text=_describe(answer, overall),
        selections=[PICK, RANGE],
    )
    errors = [_error_row(step, zone) for step in overall]
    failed = sum(step.metrics.error_count for step in overall if step.metrics)
    show_chart(
        _errors_chart(errors, bounds, colours),
        height=_ERRORS_HEIGHT,
        key="errors_strip",
        alt_text=f"Failed calls over time: {fmt.exact(failed)} in all.",
    )
    return selection


def _group_rows(answer: QueryTimeSeriesResponse, bounds: Bounds, zone: tzinfo) -> list[Row]:
    return [
        time_row(
            step,
            zone,
            group=OTHERS if series.remainder else series.group,
            requests=step.metrics.request_count,
            words=fmt.exact(step.metrics.request_count),
            errors=fmt.exact(step.metrics.error_count),
        )
        for series in answer.series
        for step in steps_of(answer, series, bounds)
        if step.metrics
    ]


def _requests_chart(
    rows: Sequence[Row], answer: QueryTimeSeriesResponse, bounds: Bounds, colours: Palette
) -> alt.Chart:
    groups = [OTHERS if series.remainder else series.group for series in answer.series]
    pick = alt.selection_point(name=PICK, fields=["group"])
    scale = alt.Scale(domain=groups, range=[colour_of(group, colours) for group in groups])
    legend = alt.Legend(orient="top", title=None, symbolType="square", offset=2, columns=6)
    chart: alt.Chart = (
        alt.Chart(alt.Data(values=list(rows)))
        .mark_bar(binSpacing=1)
        .encode(
            x=time_axis(bounds),
            x2="to:T",
            y=count_axis("requests:Q", stack=True),
            color=alt.Color("group:N", scale=scale, legend=legend),
            order=alt.Order("rank:Q"),
            opacity=alt.condition("datum.finished", alt.value(1), alt.value(0.45)),
            tooltip=when_tooltips(
                alt.Tooltip("group:N", title="of"),
                alt.Tooltip("words:N", title="requests"),
                alt.Tooltip("errors:N", title="failed"),
            ),
        )
        .add_params(pick, drag_over_time())
    )
    return chart


def _error_row(step: Step, zone: tzinfo) -> Row:
    metrics = step.metrics
    failed, calls = (metrics.error_count, metrics.request_count) if metrics else (0, 0)
    share = fmt.percent(failed / calls) if calls else fmt.NOTHING
    return time_row(step, zone, failed=failed, words=f"{fmt.exact(failed)} of {fmt.exact(calls)} ({share})")


def _errors_chart(rows: Sequence[Row], bounds: Bounds, colours: Palette) -> alt.LayerChart:
    failed = [row for row in rows if row["failed"]]
    bars = (
        alt.Chart(alt.Data(values=failed))
        .mark_bar(binSpacing=1, color=colours.error)
        .encode(x=time_axis(bounds, labels=False), x2="to:T", y=count_axis("failed:Q", ticks=2))
    )
    tooltips = when_tooltips(alt.Tooltip("words:N", title="failed"))
    return alt.layer(bars, hover_layer(rows, bounds, _ERRORS_HEIGHT, tooltips))


def _describe(answer: QueryTimeSeriesResponse, overall: Sequence[Step]) -> str:
    total = sum(step.metrics.request_count for step in overall if step.metrics)
    parts = [
        f"{series.group or OTHERS} {fmt.exact(sum(point.metrics.request_count for point in series.points))}"
        for series in answer.series
    ]
    return f"Requests over time, {fmt.exact(total)} in all: {', '.join(parts)}."

"""Requests over time, stacked by a dimension, and failed ones in a strip below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt
import streamlit as st

from streamlit_app import format as fmt
from streamlit_app.colours import colour_of
from streamlit_app.components.charts import (
    PICK,
    RANGE,
    Look,
    Row,
    Step,
    before_layer,
    chart_of,
    count_axis,
    drag_over_time,
    hover_layer,
    layered,
    show_chart,
    steps_of,
    time_axis,
    time_row,
    when_tooltips,
)
from streamlit_app.components.legend import Part, legend_html
from streamlit_app.components.release_marks import release_layers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from llm_observe.v1.analytics_service_pb2 import QueryTimeSeriesResponse, TimeSeries

    from streamlit_app.components.release_marks import ReleaseMarks

_HEIGHT: Final = 150
_ERRORS_HEIGHT: Final = 62
OTHERS: Final = "all others"
"""The groups beyond the largest, summed."""


def show_requests(
    answer: QueryTimeSeriesResponse,
    overall: Sequence[Step],
    before: Sequence[Step],
    look: Look,
    releases: ReleaseMarks,
) -> Mapping[str, object]:
    """Show both charts; return what is selected.

    ``before`` are the steps of the window before, moved to this one.
    """
    rows = _group_rows(answer, look)
    st.html(legend_html(_parts(answer, look), releases.note))
    selection = show_chart(
        _requests_chart(rows, _before_rows(before, overall, look.zone), answer, look, releases),
        height=_HEIGHT,
        key=f"requests {look.key}",
        alt_text=f"{_describe(answer, overall)}{releases.describe(look)}",
        selections=[PICK, RANGE],
    )
    failed = sum(step.metrics.error_count for step in overall if step.metrics)
    show_chart(
        _errors_chart([_error_row(step, look.zone) for step in overall], look, releases),
        height=_ERRORS_HEIGHT,
        key="errors_strip",
        alt_text=f"Failed calls over time: {fmt.exact(failed)} in all.",
    )
    return selection


def _parts(answer: QueryTimeSeriesResponse, look: Look) -> list[Part]:
    names = [_name(series) for series in answer.series]
    return [Part(name, colour_of(name, look.colours)) for name in names]


def _name(series: TimeSeries) -> str:
    return OTHERS if series.remainder else series.group


def _group_rows(answer: QueryTimeSeriesResponse, look: Look) -> list[Row]:
    return [
        time_row(
            step,
            look.zone,
            group=_name(series),
            rank=rank,
            requests=step.metrics.request_count,
            words=fmt.exact(step.metrics.request_count),
            failed_words=fmt.exact(step.metrics.error_count),
        )
        for rank, series in enumerate(answer.series)
        for step in steps_of(answer, series, look.bounds)
        if step.metrics
    ]


def _before_rows(before: Sequence[Step], overall: Sequence[Step], zone: tzinfo) -> list[Row]:
    """Return requests per step of this window, also where the server had only longer steps."""
    if not before or not overall:
        return []
    share = (overall[0].end - overall[0].start) / (before[0].end - before[0].start)
    return [
        time_row(step, zone, value=step.metrics.request_count * share if step.metrics else 0)
        for step in before
    ]


def _requests_chart(
    rows: Sequence[Row],
    before: Sequence[Row],
    answer: QueryTimeSeriesResponse,
    look: Look,
    releases: ReleaseMarks,
) -> alt.LayerChart:
    bounds, colours = look.bounds, look.colours
    parts = _parts(answer, look)
    scale = alt.Scale(domain=[part.name for part in parts], range=[part.colour for part in parts])
    bars = (
        chart_of(rows)
        .mark_bar(binSpacing=1, clip=True)
        .encode(
            x=time_axis(bounds),
            x2="to:T",
            y=count_axis("requests:Q", stack=True),
            color=alt.Color("group:N", scale=scale, legend=None),
            order=alt.Order("rank:Q"),
            opacity=alt.condition("datum.finished", alt.value(1), alt.value(0.45)),
            tooltip=when_tooltips(
                alt.Tooltip("group:N", title="of"),
                alt.Tooltip("words:N", title="requests"),
                alt.Tooltip("failed_words:N", title="failed"),
            ),
        )
        .add_params(alt.selection_point(name=PICK, fields=["group"]), drag_over_time())
    )
    previous = [before_layer(before, bounds, count_axis("value:Q"), colours.previous)] if before else []
    return layered(bars, *previous, *release_layers(releases, look))


def _error_row(step: Step, zone: tzinfo) -> Row:
    metrics = step.metrics
    failed, calls = (metrics.error_count, metrics.request_count) if metrics else (0, 0)
    share = fmt.percent(failed / calls) if calls else fmt.NOTHING
    return time_row(step, zone, failed=failed, words=f"{fmt.exact(failed)} of {fmt.exact(calls)} ({share})")


def _errors_chart(rows: Sequence[Row], look: Look, releases: ReleaseMarks) -> alt.LayerChart:
    bars = (
        chart_of([row for row in rows if row["failed"]])
        .mark_bar(binSpacing=1, clip=True, color=look.colours.error)
        .encode(x=time_axis(look.bounds, labels=False), x2="to:T", y=count_axis("failed:Q", ticks=2))
    )
    tooltips = when_tooltips(alt.Tooltip("words:N", title="failed"))
    marks = release_layers(releases, look, with_words=False)
    return layered(bars, *marks, hover_layer(rows, look.bounds, _ERRORS_HEIGHT, tooltips))


def _describe(answer: QueryTimeSeriesResponse, overall: Sequence[Step]) -> str:
    total = sum(step.metrics.request_count for step in overall if step.metrics)
    parts = [
        f"{_name(series) or 'all'} {fmt.exact(sum(point.metrics.request_count for point in series.points))}"
        for series in answer.series
    ]
    return f"Requests over time, {fmt.exact(total)} in all: {', '.join(parts)}."

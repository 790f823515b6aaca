"""Latency over time: the band from p50 to p95, p99, and time to first token below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt

from streamlit_app import format as fmt
from streamlit_app import metrics as of
from streamlit_app.components.charts import (
    RANGE,
    Look,
    Row,
    Step,
    before_layer,
    chart_of,
    drag_over_time,
    hover_layer,
    layered,
    seconds_axis,
    show_chart,
    time_axis,
    time_row,
    when_tooltips,
)
from streamlit_app.components.release_marks import release_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from llm_observe.v1.analytics_service_pb2 import Metrics

    from streamlit_app.components.release_marks import ReleaseMarks

_HEIGHT: Final = 196
_FIRST_TOKEN_HEIGHT: Final = 62
_NUMBERS: Final[Mapping[str, Callable[[Metrics], float | None]]] = {
    "p50": of.p50_latency,
    "p95": of.p95_latency,
    "p99": of.p99_latency,
    "ttft": of.first_token,
}


def show_latency(
    steps: Sequence[Step], before: Sequence[Step], look: Look, releases: ReleaseMarks
) -> Mapping[str, object]:
    """Show both charts; return what is selected.

    ``before`` are the steps of the window before, moved to this one.
    """
    rows = [_row(step, look.zone) for step in steps]
    selection = show_chart(
        _latency_chart(rows, [_before_row(step, look.zone) for step in before], look, releases),
        height=_HEIGHT,
        key=f"latency {look.key}",
        alt_text=f"Latency over time. p50: {_describe(steps, of.p50_latency)}; "
        f"p95: {_describe(steps, of.p95_latency)}.{releases.describe(look)}",
        selections=[RANGE],
    )
    show_chart(
        _first_token_chart(rows, look, releases),
        height=_FIRST_TOKEN_HEIGHT,
        key="first_token",
        alt_text=f"Median time to first token. {_describe(steps, of.first_token)}.",
    )
    return selection


def _row(step: Step, zone: tzinfo) -> Row:
    numbers: dict[str, float | None] = {}
    shown: dict[str, str] = {}
    for name, number in _NUMBERS.items():
        value = number(step.metrics) if step.metrics else None
        numbers[name], shown[f"{name}_words"] = value, fmt.duration(value)
    calls = fmt.exact(step.metrics.latency.count if step.metrics else 0)
    return time_row(step, zone, calls=calls, **numbers, **shown)


def _before_row(step: Step, zone: tzinfo) -> Row:
    return time_row(step, zone, value=of.p95_latency(step.metrics) if step.metrics else None)


def _latency_chart(
    rows: Sequence[Row], before: Sequence[Row], look: Look, releases: ReleaseMarks
) -> alt.LayerChart:
    bounds, colours = look.bounds, look.colours
    known = [row for row in rows if row["p50"] is not None]
    base = chart_of(known).encode(x=time_axis(bounds), x2="to:T")
    faded = alt.condition("datum.finished", alt.value(0.28), alt.value(0.12))
    band = base.mark_bar(binSpacing=0, clip=True, color=colours.p95).encode(
        y=seconds_axis("p50:Q"), y2="p95:Q", opacity=faded
    )
    lines = base.encode(x=time_axis(bounds, bars=False))
    p95 = lines.mark_rule(clip=True, strokeWidth=1.2, color=colours.p95).encode(y="p95:Q")
    p50 = lines.mark_rule(clip=True, strokeWidth=2.2, color=colours.p50).encode(y="p50:Q")
    p99 = lines.mark_rule(clip=True, strokeWidth=1.2, strokeDash=[3, 2], color=colours.p99).encode(y="p99:Q")
    tooltips = when_tooltips(
        alt.Tooltip("p50_words:N", title="p50"),
        alt.Tooltip("p95_words:N", title="p95"),
        alt.Tooltip("p99_words:N", title="p99"),
        alt.Tooltip("ttft_words:N", title="first token"),
        alt.Tooltip("calls:N", title="calls"),
    )
    hover = hover_layer(rows, bounds, _HEIGHT, tooltips)
    previous = [before_layer(before, bounds, seconds_axis("value:Q"), colours.previous)] if before else []
    marks = release_layers(releases, look)
    return layered(band, *previous, p95, p99, p50.add_params(drag_over_time()), hover, *marks)


def _first_token_chart(rows: Sequence[Row], look: Look, releases: ReleaseMarks) -> alt.LayerChart:
    bounds = look.bounds
    known = [row for row in rows if row["ttft"] is not None]
    line = (
        chart_of(known)
        .mark_rule(clip=True, strokeWidth=2, color=look.colours.ttft)
        .encode(x=time_axis(bounds, labels=False, bars=False), x2="to:T", y=seconds_axis("ttft:Q", ticks=2))
    )
    tooltips = when_tooltips(alt.Tooltip("ttft_words:N", title="first token p50"))
    marks = release_layers(releases, look, with_words=False)
    return layered(line, *marks, hover_layer(rows, bounds, _FIRST_TOKEN_HEIGHT, tooltips))


def _describe(steps: Sequence[Step], number: Callable[[Metrics], float | None]) -> str:
    """Return a course in words, for those who do not see it."""
    values = [value for step in steps if step.metrics and (value := number(step.metrics)) is not None]
    if not values:
        return "no calls"
    least, most, last = (fmt.duration(value) for value in (min(values), max(values), values[-1]))
    return f"least {least}, most {most}, last {last}"

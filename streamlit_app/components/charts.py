"""The dashboard's charts: series in, Altair charts out. Colours come from the theme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt

from streamlit_app.format import seconds, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_observe.v1.analytics_service_pb2 import TimePoint, TimeSeries

_HEIGHT: Final = 260


def latency_chart(series: Sequence[TimeSeries]) -> alt.Chart:
    """Return latency p50 and p95 and time to first token p50 over time."""
    rows = [row for line in series for point in line.points for row in _latency_rows(point)]
    chart: alt.Chart = (
        alt.Chart(alt.Data(values=rows), height=_HEIGHT)
        .mark_line(point={"size": 24}, interpolate="monotone", strokeWidth=2)
        .encode(
            x=_time_axis(),
            y=alt.Y("value:Q", title="seconds"),
            color=alt.Color("metric:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[
                _time_tooltip(),
                alt.Tooltip("metric:N", title="metric"),
                alt.Tooltip("value:Q", title="seconds", format=".3f"),
            ],
        )
    )
    return chart


def _latency_rows(point: TimePoint) -> Iterator[dict[str, str | float]]:
    time, metrics = timestamp(point.start_time).isoformat(), point.metrics
    if metrics.HasField("latency"):
        yield {"time": time, "value": seconds(metrics.latency.p50), "metric": "latency p50"}
        yield {"time": time, "value": seconds(metrics.latency.p95), "metric": "latency p95"}
    if metrics.HasField("time_to_first_token"):
        first_token_s = seconds(metrics.time_to_first_token.p50)
        yield {"time": time, "value": first_token_s, "metric": "first token p50"}


def throughput_chart(series: Sequence[TimeSeries]) -> alt.Chart:
    """Return requests per time step, stacked by group."""
    rows = [
        {
            "time": timestamp(point.start_time).isoformat(),
            "requests": point.metrics.request_count,
            "group": line.group,
        }
        for line in series
        for point in line.points
    ]
    chart: alt.Chart = (
        alt.Chart(alt.Data(values=rows), height=_HEIGHT)
        .mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2, size=12)
        .encode(
            x=_time_axis(),
            y=alt.Y("requests:Q", title="requests", stack="zero"),
            color=alt.Color("group:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[
                _time_tooltip(),
                alt.Tooltip("group:N", title="provider"),
                alt.Tooltip("requests:Q", title="requests"),
            ],
        )
    )
    return chart


def _time_axis() -> alt.X:
    return alt.X(
        "time:T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format="%d %b %H:%M", labelOverlap=True),
    )


def _time_tooltip() -> alt.Tooltip:
    return alt.Tooltip("time:T", title="from (UTC)", format="%d %b %H:%M")

"""The dashboard's charts: series in, Altair charts out. Colours come from the theme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from streamlit_app.format import moment, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.analytics_service_pb2 import TimeSeries

_HEIGHT = 260


def _time_axis() -> Any:
    return alt.X(
        "time:T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format="%d %b %H:%M", labelOverlap=True),
    )


def latency_chart(series: Sequence[TimeSeries]) -> Any:
    """Return latency p50 and p95 and time to first token p50 over time."""
    rows: list[dict[str, Any]] = []
    for point in (point for line in series for point in line.points):
        at, metrics = moment(point.start_time).isoformat(), point.metrics
        if metrics.HasField("latency"):
            rows.append({"time": at, "value": seconds(metrics.latency.p50), "what": "latency p50"})
            rows.append({"time": at, "value": seconds(metrics.latency.p95), "what": "latency p95"})
        if metrics.HasField("time_to_first_token"):
            ttft = seconds(metrics.time_to_first_token.p50)
            rows.append({"time": at, "value": ttft, "what": "first token p50"})
    return (
        alt.Chart(alt.Data(values=rows), height=_HEIGHT)
        .mark_line(point={"size": 24}, interpolate="monotone", strokeWidth=2)
        .encode(
            x=_time_axis(),
            y=alt.Y("value:Q", title="seconds"),
            color=alt.Color("what:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[
                alt.Tooltip("time:T", title="from (UTC)", format="%d %b %H:%M"),
                alt.Tooltip("what:N", title="what"),
                alt.Tooltip("value:Q", title="seconds", format=".3f"),
            ],
        )
    )


def throughput_chart(series: Sequence[TimeSeries]) -> Any:
    """Return requests a step, stacked by group."""
    rows = [
        {
            "time": moment(point.start_time).isoformat(),
            "requests": point.metrics.request_count,
            "group": line.group,
        }
        for line in series
        for point in line.points
    ]
    return (
        alt.Chart(alt.Data(values=rows), height=_HEIGHT)
        .mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2, size=12)
        .encode(
            x=_time_axis(),
            y=alt.Y("requests:Q", title="requests", stack="zero"),
            color=alt.Color("group:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[
                alt.Tooltip("time:T", title="from (UTC)", format="%d %b %H:%M"),
                alt.Tooltip("group:N", title="provider"),
                alt.Tooltip("requests:Q", title="requests"),
            ],
        )
    )

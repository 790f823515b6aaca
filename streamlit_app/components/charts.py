"""Charts over time, with Altair: colours by meaning, the whole window on the x axis, a tooltip anywhere.

Times are shown in the zone of the browser, which is the viewer's; tooltips add UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import altair as alt
import pandas as pd
import streamlit as st
from altair.utils import schemapi

from streamlit_app import format as fmt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from llm_observe.v1.analytics_service_pb2 import Metrics, QueryTimeSeriesResponse, TimeSeries

    from streamlit_app.colours import Palette
    from streamlit_app.state.window import Bounds

# Altair checks a chart when it is shown. To check each part, too, takes a third of a page's time.
schemapi.disable_debug_mode()

Row = dict[str, str | float | int | bool | datetime | None]
RANGE: Final = "range"
"""Name of the selection made by dragging over time."""
PICK: Final = "pick"
"""Name of the selection made by a click on a group."""
_AXIS_PX: Final = 52
"""Width of every y axis, so that charts below each other are aligned."""
_SECONDS_LABEL: Final = (
    "datum.value == 0 ? '0' : datum.value < 1 ? format(datum.value * 1000, '.0f') + ' ms'"
    " : datum.value < 120 ? format(datum.value, '~r') + ' s' : format(datum.value / 60, '.1~f') + ' min'"
)
_COUNT_LABEL: Final = "datum.value == 0 ? '0' : format(datum.value, '~s')"
_TIME_LABEL: Final = (
    "hours(datum.value) == 0 && minutes(datum.value) == 0"
    " ? timeFormat(datum.value, '%d %b') : timeFormat(datum.value, '%H:%M')"
)


class Look(NamedTuple):
    """What all charts of a page share: the window, the theme's colours and the viewer's time zone.

    ``key`` tells charts of one view from those of another, which have nothing selected.
    """

    bounds: Bounds
    colours: Palette
    zone: tzinfo
    key: str


class Step(NamedTuple):
    """One step of a window, also one in which nothing happened."""

    start: datetime
    end: datetime
    metrics: Metrics | None
    is_finished: bool


def steps_of(answer: QueryTimeSeriesResponse, series: TimeSeries | None, bounds: Bounds) -> list[Step]:
    """Return every step of the window; ``metrics`` is None where there were no calls."""
    length = answer.step.ToTimedelta() or bounds.step
    points = {point.start_time.seconds: point for point in (series.points if series else ())}
    steps, start = [], _floor(bounds.start, length)
    while start < bounds.end:
        point = points.get(int(start.timestamp()))
        finished = point is None or not point.unfinished
        steps.append(Step(start, start + length, point.metrics if point else None, finished))
        start += length
    return steps


def steps_moved(answer: QueryTimeSeriesResponse, bounds: Bounds, by: timedelta) -> list[Step]:
    """Return the steps of another window, moved so that they can be drawn over this one."""
    series = answer.series[0] if answer.series else None
    return [
        step._replace(start=step.start + by, end=step.end + by) for step in steps_of(answer, series, bounds)
    ]


def _floor(time: datetime, length: timedelta) -> datetime:
    return time - (time - datetime(1970, 1, 1, tzinfo=UTC)) % length


def time_row(step: Step, zone: tzinfo, **values: str | float | bool | None) -> Row:
    """Return a row of a chart: the step's times, what its tooltip says of them, and values."""
    when = fmt.time_range(step.start, step.end, zone)
    unfinished = "" if step.is_finished else ", not finished yet"
    return {
        "at": step.start,
        "to": step.end,
        "when": f"{when}{unfinished}",
        "utc": fmt.time_range(step.start, step.end, UTC),
        "finished": step.is_finished,
        **values,
    }


def time_axis(bounds: Bounds, *, labels: bool = True, bars: bool = True) -> alt.X:
    """Return the x axis of a chart with steps from ``at`` to ``to``: it spans the window, not the data.

    ``bars`` is False for marks that are no bars, such as rules from ``at`` to ``to``.
    """
    domain = [time.isoformat() for time in (bounds.start, bounds.end)]
    axis = alt.Axis(
        labels=labels, ticks=labels, labelExpr=_TIME_LABEL, labelOverlap=True, tickCount=8, grid=False,
        labelFlush=True,
    )  # fmt: skip
    scale = alt.Scale(domain=domain, nice=False)
    if bars:
        return alt.X("at:T", bin="binned", title=None, scale=scale, axis=axis)
    return alt.X("at:T", title=None, scale=scale, axis=axis)


def count_axis(field: str, *, stack: bool = False, ticks: int = 4) -> alt.Y:
    """Return a y axis of counts."""
    axis = alt.Axis(
        labelExpr=_COUNT_LABEL, tickCount=ticks, minExtent=_AXIS_PX, maxExtent=_AXIS_PX, tickMinStep=1
    )
    return alt.Y(field, title=None, stack="zero" if stack else None, axis=axis)


def seconds_axis(field: str, *, ticks: int = 4) -> alt.Y:
    """Return a y axis of durations."""
    axis = alt.Axis(labelExpr=_SECONDS_LABEL, tickCount=ticks, minExtent=_AXIS_PX, maxExtent=_AXIS_PX)
    return alt.Y(field, title=None, axis=axis)


def when_tooltips(*others: alt.Tooltip) -> list[alt.Tooltip]:
    """Return a tooltip that begins with the step and ends with it in UTC."""
    return [alt.Tooltip("when:N", title="time"), *others, alt.Tooltip("utc:N", title="UTC")]


def chart_of(rows: Sequence[Row]) -> alt.Chart:
    """Return a chart of rows."""
    # A data frame, as Altair checks values one by one, which takes seconds.
    return alt.Chart(pd.DataFrame(list(rows)))


def layered(*layers: alt.Chart) -> alt.LayerChart:
    """Return charts above each other, the first one at the bottom."""
    chart = alt.layer(*layers)
    assert isinstance(chart, alt.LayerChart)  # noqa: S101 - facets make another kind, and there are none
    return chart


def hover_layer(
    rows: Sequence[Row], bounds: Bounds, height: int, tooltips: Sequence[alt.Tooltip]
) -> alt.Chart:
    """Return an invisible layer whose bars are as high as the chart: the tooltip is everywhere."""
    hover = alt.selection_point(name="hover", on="pointerover", clear="pointerout", empty=False)
    layer: alt.Chart = (
        chart_of(rows)
        .mark_bar(color="gray", binSpacing=0, clip=True)
        .encode(
            x=time_axis(bounds),
            x2="to:T",
            y=alt.value(0),
            y2=alt.value(height),
            opacity=alt.condition(hover, alt.value(0.12), alt.value(0)),
            tooltip=list(tooltips),
        )
        .add_params(hover)
    )
    return layer


def before_layer(rows: Sequence[Row], bounds: Bounds, y: alt.Y, colour: str) -> alt.Chart:
    """Return the line of the window before, ``value`` of each row, already moved to this window."""
    known = [row for row in rows if row["value"] is not None]
    layer: alt.Chart = (
        chart_of(known)
        .mark_line(interpolate="step-after", strokeWidth=1.4, color=colour, clip=True)
        .encode(x=time_axis(bounds, bars=False), y=y)
    )
    return layer


def drag_over_time() -> alt.Parameter:
    """Return the selection made by dragging over time."""
    return alt.selection_interval(
        name=RANGE, encodings=["x"], mark=alt.BrushConfig(fill="#4f6df5", fillOpacity=0.18)
    )


def show_chart(
    chart: alt.Chart | alt.LayerChart, *, height: int, key: str, alt_text: str, selections: Sequence[str] = ()
) -> Mapping[str, object]:
    """Show a chart without the air around it; return what is selected in it, by the name of the selection."""
    sized = chart.properties(height=height, padding={"left": 0, "top": 6, "right": 8, "bottom": 0})
    if not selections:
        st.altair_chart(sized, key=key, alt=alt_text)
        return {}
    state = st.altair_chart(sized, key=key, alt=alt_text, on_select="rerun", selection_mode=list(selections))
    return dict(state.selection)


def selected_range(selection: Mapping[str, object]) -> tuple[datetime, datetime] | None:
    """Return the range that was dragged over, of what ``show_chart`` returned."""
    found = selection.get(RANGE)
    times = next(iter(found.values()), None) if isinstance(found, dict) else None
    if not isinstance(times, list) or len(times) != 2:  # noqa: PLR2004 - a start and an end
        return None
    start, end = (datetime.fromtimestamp(time / 1000, UTC) for time in times)
    return (start, end) if end > start else None


def selected_values(selection: Mapping[str, object], field: str) -> list[str]:
    """Return the values that were clicked on, of what ``show_chart`` returned."""
    found = selection.get(PICK)
    rows = found if isinstance(found, list) else []
    # A click on another layer of the chart picks nothing.
    return [str(row[field]) for row in rows if isinstance(row, dict) and row.get(field) is not None]

"""Draws the answer of a report or a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt
import pandas as pd

from streamlit_app import format as fmt
from streamlit_app.colours import OUTCOMES, outcome_colour
from streamlit_app.components.charts import show_chart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamlit_app.colours import Palette
    from streamlit_app.results.chart_choice import ChartType, Plan
    from streamlit_app.results.columns import Column, Result, Unit

_MAX_SERIES: Final = 8
_MAX_BARS: Final = 25
_MAX_DAYS: Final = 400
_BAR_PX: Final = 24
_HEIGHT: Final = 280
_LEGEND_ROW_PX: Final = 18
_HEAT_ROW_PX: Final = 30
_HEAT_REST_PX: Final = 110
_LABEL_CHARS: Final = 48
_MAX_MARKED: Final = 60
"""Points of a line that are marked each; more would hide it."""
_LABELS: Final[dict[Unit, str]] = {
    "usd": (
        "datum.value == 0 ? '$0' : abs(datum.value) < 0.1 ? format(datum.value, '$.2~r')"
        " : abs(datum.value) < 1000 ? format(datum.value, '$,.2f') : format(datum.value, '$,.3~s')"
    ),
    "ms": "datum.value >= 1000 ? format(datum.value / 1000, '~r') + ' s' : format(datum.value, '~r') + ' ms'",
    "s": "format(datum.value, '~s') + ' s'",
    "share": "format(datum.value, '.2~%')",
    "change": "format(datum.value, '+.2~%')",
    "": "format(datum.value, '~s')",
}
_SHOWN: Final[dict[Unit, Callable[[float], str]]] = {
    "usd": lambda value: fmt.money(round(value * 1e9)),
    "ms": lambda value: fmt.duration(value / 1000),
    "s": fmt.duration,
    "share": fmt.percent,
    "change": lambda value: f"{value * 100:+.1f} %",
    "": lambda value: fmt.exact(int(value)) if value == int(value) else f"{value:,.2f}",
}


def show_result_chart(result: Result, plan: Plan, kind: ChartType, measure: Column, colours: Palette) -> str:
    """Show the chart; return a note on what it leaves out, empty if it shows all."""
    rows = _rows(result, plan, measure)
    if plan.x is None:
        kept = rows.head(_MAX_BARS) if not _is_stacked(rows) else _first_bars(rows)
        note = _left_out(len(rows), len(kept), "rows") if len(kept) < len(rows) else ""
        chart, height = _bars_across(kept, measure, colours)
    else:
        names = _largest_series(rows)
        kept = rows[rows["series"].isin(names)]
        note = _left_out(rows["series"].nunique(), len(names), "groups")
        draw = {"lines": _lines, "bars": _bars, "heat": _heat, "points": _points}[kind]
        chart = draw(kept, plan.x, measure, colours)
        height = _HEAT_ROW_PX * len(names) + _HEAT_REST_PX if kind == "heat" else _height(len(names))
    show_chart(chart, height=height, key=f"result {kind} {measure.name}", alt_text=_describe(kept, measure))
    return note


def _height(series_count: int) -> int:
    return _HEIGHT + (_LEGEND_ROW_PX * ((series_count + 1) // 2) if series_count > 1 else 0)


def _left_out(count: int, shown: int, what: str) -> str:
    return (
        f"The chart shows {shown} of {fmt.exact(count)} {what}; the table has all." if shown < count else ""
    )


def _rows(result: Result, plan: Plan, measure: Column) -> pd.DataFrame:
    """Return what is drawn: x, y, series, label, and what a tooltip says."""
    frame = result.frame
    texts = [frame[column.title].map(_text) for column in plan.series]
    rows = pd.DataFrame({"y": pd.to_numeric(frame[measure.title], errors="coerce").astype(float)})
    joined = [" · ".join(parts) for parts in zip(*texts, strict=True)] if texts else [""] * len(frame)
    rows["label"] = [text if len(text) <= _LABEL_CHARS else f"{text[: _LABEL_CHARS - 1]}…" for text in joined]
    rows["series"] = joined
    if plan.x is None and len(texts) == 2 and texts[0].duplicated().any():  # noqa: PLR2004 - a bar, and its parts
        rows["label"], rows["series"] = texts[0], texts[1]
    elif plan.x is None:
        rows["series"] = ""
    if plan.x is not None:
        rows["x"] = _along(frame[plan.x.title], plan.x)
    rows = rows[rows["y"].notna() & rows["y"].abs().lt(float("inf"))]
    rows["shown"] = rows["y"].map(_SHOWN[measure.unit])
    return rows


def _text(value: object) -> str:
    return "(none)" if value is None or value == "" else str(value)


def _along(values: pd.Series[object], column: Column) -> pd.Series[object]:
    if column.kind == "date" and pd.api.types.is_datetime64_any_dtype(values):
        return pd.Series(values.dt.strftime("%Y-%m-%d"))
    return values.astype(float) if column.kind == "number" else values


def _is_stacked(rows: pd.DataFrame) -> bool:
    return bool(rows["series"].ne("").any())


def _first_bars(rows: pd.DataFrame) -> pd.DataFrame:
    kept: pd.DataFrame = rows[rows["label"].isin(rows["label"].unique()[:_MAX_BARS])]
    return kept


def _largest_series(rows: pd.DataFrame) -> Sequence[str]:
    sums = rows.groupby("series", sort=False)["y"].sum()
    return [str(name) for name in sums.sort_values(ascending=False).index[:_MAX_SERIES]]


def series_colours(names: Sequence[str], colours: Palette) -> list[str]:
    """Return a colour for each name: a provider's own, an outcome's meaning, else one that none has yet."""
    free = [*colours.others, *(each for name, each in colours.providers.items() if name not in names)]
    chosen = []
    for name in names:
        if name in OUTCOMES:
            chosen.append(outcome_colour(name, colours))
        else:
            chosen.append(colours.providers.get(name) or free[len(chosen) % len(free)])
    return chosen


def _colour(rows: pd.DataFrame, measure: Column, colours: Palette) -> alt.Color | alt.ColorValue:
    names = sorted(rows["series"].unique())
    if len(names) < 2:  # noqa: PLR2004 - one needs no legend
        return alt.ColorValue(colours.error if measure.name.startswith("error_") else colours.p50)
    scale = alt.Scale(domain=names, range=series_colours(names, colours))
    legend = alt.Legend(orient="top", title=None, symbolType="square", labelLimit=140, columns=2, offset=4)
    return alt.Color("series:N", scale=scale, legend=legend)


def _x(rows: pd.DataFrame, column: Column, *, band: bool) -> alt.X:
    if column.kind == "date":
        days = _all_days(rows["x"]) if column.name == "date" else sorted(rows["x"].unique())
        label = "utcFormat(toDate(datum.value), '%d %b')"
        axis = alt.Axis(labelExpr=label, labelOverlap=True, labelAngle=0, grid=False)
        return alt.X("x:O", title=None, scale=alt.Scale(domain=days), axis=axis)
    if column.kind == "number":
        axis = alt.Axis(labelOverlap=True, labelAngle=0, grid=False, format="~s")
        return alt.X("x:O" if band else "x:Q", title=column.title, axis=axis, sort="ascending")
    return alt.X("x:T", title=None, axis=alt.Axis(grid=False, labelOverlap=True, tickCount=8))


def _all_days(days: pd.Series[str]) -> list[str]:
    """Return every day from the first to the last: one without calls is a gap."""
    present = sorted(days.dropna().unique())
    if not present:
        return []
    every = pd.date_range(present[0], present[-1]).strftime("%Y-%m-%d").tolist()
    return every if len(every) <= _MAX_DAYS else present


def _y(measure: Column, *, zero: bool = True) -> alt.Y:
    axis = alt.Axis(labelExpr=_LABELS[measure.unit], tickCount=5)
    return alt.Y("y:Q", title=measure.title, axis=axis, scale=alt.Scale(zero=zero))


def _tooltip(measure: Column, column: Column | None = None) -> list[alt.Tooltip]:
    shown = [alt.Tooltip("label:N", title="Group"), alt.Tooltip("shown:N", title=measure.title)]
    if column is not None:
        time = alt.Tooltip("x:T", title=column.title, format="%d %b %Y %H:%M")
        shown.insert(0, time if column.kind == "time" else alt.Tooltip("x:N", title=column.title))
    return shown


def _lines(rows: pd.DataFrame, x: Column, measure: Column, colours: Palette) -> alt.Chart:
    opacity = 1 if rows["x"].nunique() <= _MAX_MARKED else 0  # they still show a tooltip
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_line(point=alt.OverlayMarkDef(size=28, filled=True, opacity=opacity), strokeWidth=1.8)
        .encode(
            x=_x(rows, x, band=False),
            y=_y(measure),
            color=_colour(rows, measure, colours),
            tooltip=_tooltip(measure, x),
        )
    )
    return chart


def _bars(rows: pd.DataFrame, x: Column, measure: Column, colours: Palette) -> alt.Chart:
    is_sum = measure.unit in {"", "usd"}
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=_x(rows, x, band=True),
            y=_y(measure),
            color=_colour(rows, measure, colours),
            tooltip=_tooltip(measure, x),
        )
    )
    # Shares and times cannot be stacked: their bars stand side by side.
    return chart if is_sum or x.kind == "time" else chart.encode(xOffset="series:N")


def _heat(rows: pd.DataFrame, x: Column, measure: Column, colours: Palette) -> alt.Chart:
    order = list(dict.fromkeys(rows.sort_values("y", ascending=False)["label"]))
    strongest = colours.error if measure.name.startswith("error_") else colours.p50
    scale = alt.Scale(range=[colours.grid, strongest], domainMin=0)
    legend = alt.Legend(
        orient="top", title=measure.title, gradientLength=160, labelExpr=_LABELS[measure.unit], tickCount=3
    )
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_rect(cornerRadius=2, stroke=colours.background, strokeWidth=2)
        .encode(
            x=_x(rows, x, band=True),
            y=alt.Y("label:N", title=None, sort=order, axis=alt.Axis(labelLimit=170, grid=False)),
            color=alt.Color("y:Q", scale=scale, legend=legend),
            tooltip=_tooltip(measure, x),
        )
    )
    return chart


def _points(rows: pd.DataFrame, x: Column, measure: Column, colours: Palette) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_circle(size=70, opacity=0.8)
        .encode(
            x=_x(rows, x, band=False),
            y=_y(measure),
            color=_colour(rows, measure, colours),
            tooltip=_tooltip(measure, x),
        )
    )
    return chart


def _bars_across(rows: pd.DataFrame, measure: Column, colours: Palette) -> tuple[alt.Chart, int]:
    labels = list(dict.fromkeys(rows["label"]))
    axis = alt.Axis(labelExpr=_LABELS[measure.unit], tickCount=5, orient="bottom")
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=alt.Y("label:N", title=None, sort=labels, axis=alt.Axis(labelLimit=200, grid=False)),
            x=alt.X("y:Q", title=measure.title, axis=axis),
            color=_colour(rows, measure, colours),
            tooltip=_tooltip(measure),
        )
    )
    return chart, _BAR_PX * len(labels) + 60


def _describe(rows: pd.DataFrame, measure: Column) -> str:
    if rows.empty:
        return f"{measure.title}: nothing known"
    least, most = rows.loc[rows["y"].idxmin()], rows.loc[rows["y"].idxmax()]
    return (
        f"{measure.title}: from {least['shown']} {least['label']} to {most['shown']} {most['label']},"
        f" {len(rows)} values"
    )

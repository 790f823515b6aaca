"""Which chart shows an answer: by the kinds of its columns alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit_app.results.columns import Column, Result

ChartType = Literal["lines", "bars", "heat", "points"]
TYPES: Final[dict[ChartType, str]] = {
    "bars": "Bars", "lines": "Lines", "heat": "Heat map", "points": "Points",
}  # fmt: skip
_TELLING: Final = (
    "forecast_cost", "saved", "cancelled_share", "p95", "total_cost", "cost_nano_usd", "growth", "p50_tokens",
    "wasted", "unpriced_count", "error_share", "latency_us",
)  # fmt: skip
"""What the name of the measure contains that a report is about, rather than the number of calls."""
_COUNTING: Final = ("tokens_from", "finish_reason", "calls_from", "week")
"""Columns whose reports are about numbers of calls."""


class Plan(NamedTuple):
    """How an answer can be drawn.

    ``x`` is what stands along the axis; None where each row is a bar of its own. ``series`` are the columns
    that name a colour, or a bar. The first of ``types`` and ``measure`` are chosen unless somebody chooses.
    """

    x: Column | None
    series: Sequence[Column]
    measures: Sequence[Column]
    measure: Column
    types: Sequence[ChartType]


def plan_chart(result: Result) -> Plan | None:
    """Return how an answer can be drawn; None if there is nothing to draw."""
    columns = result.columns
    measures = [
        column for column in columns if column.is_measure and result.frame[column.title].notna().any()
    ]
    if not measures or not len(result.frame):
        return None
    dimensions = _leading(columns)
    texts = [column for column in dimensions if column.kind in {"text", "truth"} and not column.is_log_id]
    x, types = _axis(result, dimensions, texts)
    measure = _choose_measure(columns, measures)
    if not types:
        return None
    if "lines" in types and types[0] == "bars" and measure.unit not in {"", "usd"}:
        types = ("lines", *(each for each in types if each != "lines"))  # a rate or a time is no amount
    if any(column.is_log_id for column in columns) and x is not None and x.kind == "time":
        texts = [column for column in columns if column.name in {"model", "provider"}][-1:]
    return Plan(x, texts, measures, measure, types)


def _leading(columns: Sequence[Column]) -> list[Column]:
    """Return the columns before the first measure: what the rows are about."""
    found: list[Column] = []
    for column in columns:
        if column.is_measure:
            break
        found.append(column)
    return found


def _axis(
    result: Result, dimensions: Sequence[Column], texts: Sequence[Column]
) -> tuple[Column | None, Sequence[ChartType]]:
    columns = result.columns
    times = [column for column in columns if column.kind in {"time", "date"}]
    if times and any(column.name == "log_id" for column in columns):
        return times[0], ("points",)  # each row is a call
    along = [column for column in dimensions if column.kind in {"time", "date"} or column.is_ordinal]
    if along and (len(texts) < 2 or along[0] is dimensions[0]):  # noqa: PLR2004 - else a row is about those texts
        return along[0], _types_along(along[0], texts)
    if texts:
        return None, ("bars",)
    numbers = [column for column in columns if column.is_measure]
    return (numbers[0], ("points",)) if len(numbers) > 1 and len(result.frame) > 1 else (None, ())


def _types_along(x: Column, texts: Sequence[Column]) -> Sequence[ChartType]:
    if x.is_ordinal and x.name == "hour":
        return ("heat", "bars", "lines") if texts else ("bars", "lines")
    if x.kind == "time":
        return ("points", "bars", "lines") if len(texts) > 1 else ("lines", "bars", "points")
    return ("bars", "lines", "heat") if texts else ("bars", "lines")


def _choose_measure(columns: Sequence[Column], measures: Sequence[Column]) -> Column:
    names = {column.name for column in columns}
    by_name = {measure.name: measure for measure in measures}
    if names.isdisjoint(_COUNTING) or "p95_ttft_us" in names:
        for words in _TELLING:
            for name, measure in by_name.items():
                if words in name:
                    return measure
    return by_name.get("request_count", measures[0])

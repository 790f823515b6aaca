"""Summaries, time series, breakdowns and facets of a project's calls, read from rollups."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from analytics.packed_counts import count_texts
from analytics.windows import HOUR, MINUTE, Window, ceil, counted_window, cover, floor
from storage.columns import PACKED_COUNTS, ROLLUP_SUMS
from storage.rollups import (
    Cell,
    GroupCount,
    RollupFilter,
    TierRange,
    count_overflow,
    get_minutes_kept_from,
    rank_groups,
    sum_rollups,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime, timedelta

    from storage.pool import Connection, Database

MAX_SERIES: Final = 20
"""Series a time-series query returns before the rest is summed."""
ERROR_CODE: Final = "error_code"
"""A dimension that failed calls alone have. Their metrics are counts."""
REMAINDER: Final = "other"
"""Name of the groups that are not shown one by one."""
_NO_SUMS: Final = {each.name: 0 for each in ROLLUP_SUMS}
_NO_COUNTS: Final = {each.name: b"" for each in PACKED_COUNTS}


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of a window and of the one before it."""

    window: Window
    current: Sequence[Cell]
    finished: Sequence[Cell]
    """The finished part of the window."""
    previous_window: Window
    """As long as that part."""
    previous: Sequence[Cell]
    overflow_count: int


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Cells by step and group; groups, the largest first. What is in none of them is the remainder."""

    window: Window
    groups: list[str]
    cells: list[Cell]
    overflow_count: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Groups, the largest first, and the cells that everything adds up from."""

    window: Window
    groups: list[Cell]
    total: list[Cell]
    overflow_count: int


class Snapshot(NamedTuple):
    """A transaction that reads rollups, and the part of time that they can count."""

    connection: Connection
    window: Window
    """The window that was wanted, widened to what can be counted."""
    minutes_from: datetime
    """From when on minutes can be counted, and not only hours."""


@asynccontextmanager
async def read_rollups(database: Database, wanted: Window) -> AsyncIterator[Snapshot]:
    """Begin a transaction in which all answers agree."""
    async with database.connection() as connection, connection.transaction(read_only=True):
        minutes_from = await get_minutes_kept_from(connection)
        yield Snapshot(connection, counted_window(wanted, minutes_from), minutes_from)


async def summarise(database: Database, wanted: Window, found: RollupFilter, now: datetime) -> Summary:
    """Return the numbers of a window, and of as much of the window before it as this one has lasted."""
    async with read_rollups(database, wanted) as (connection, window, minutes_from):
        finished, before = compared_windows(window, minutes_from, now)

        async def cells(part: Window) -> list[Cell]:
            ranges = cover(part)
            return await sum_rollups(connection, ranges, found) if ranges else []

        compared = await cells(finished)
        return Summary(
            window=window,
            current=[
                *await cells(Window(window.start, finished.start)),
                *compared,
                *await cells(Window(finished.end, window.end)),
            ],
            finished=compared,
            previous_window=before,
            previous=await cells(before),
            overflow_count=await count_overflow(connection, cover(window), found.project_id),
        )


def compared_windows(window: Window, minutes_from: datetime, now: datetime) -> tuple[Window, Window]:
    """Return the finished part of a window, and the same part of the window before, of equal length.

    Where minutes are no longer kept, both are whole hours.
    """
    length = window.end - window.start
    unit = MINUTE if window.start - length >= minutes_from else HOUR
    start = min(ceil(window.start, unit), window.end)
    end = max(start, floor(min(window.end, now), unit))
    shift = -(-length // unit) * unit
    return Window(start, end), Window(start - shift, end - shift)


async def query_time_series(
    snapshot: Snapshot, step: timedelta, found: RollupFilter, group_by: str
) -> TimeSeries:
    """Return the numbers of each step, of the largest groups one by one."""
    connection, window, _ = snapshot
    ranges = cover(window, step)
    overflow = await count_overflow(connection, ranges, found.project_id)
    if group_by == ERROR_CODE:
        cells = [
            cell._replace(step_start=each.step_start)
            for each in await sum_rollups(connection, ranges, found, step=step)
            for cell in _by_error_code(each)
        ]
        groups = _largest(cells, MAX_SERIES)
        return TimeSeries(window, groups, _with_remainder(cells, groups), overflow)
    groups = [""]
    if group_by:
        groups = [each.value for each in await rank_groups(connection, ranges, found, group_by, MAX_SERIES)]
    cells = await sum_rollups(connection, ranges, found, step=step, group_by=group_by, groups=groups)
    return TimeSeries(window, groups, cells, overflow)


async def break_down(
    database: Database, wanted: Window, found: RollupFilter, group_by: str, limit: int
) -> Breakdown:
    """Return the largest groups of a dimension."""
    async with read_rollups(database, wanted) as (connection, window, _):
        ranges = cover(window)
        overflow = await count_overflow(connection, ranges, found.project_id)
        if group_by == ERROR_CODE:
            cells = await _count_error_codes(connection, ranges, found)
            return Breakdown(window, cells[:limit], cells, overflow)
        groups = [each.value for each in await rank_groups(connection, ranges, found, group_by, limit)]
        cells = await sum_rollups(connection, ranges, found, group_by=group_by, groups=groups)
    place = {group: at for at, group in enumerate(groups)}
    named = sorted((cell for cell in cells if not cell.remainder), key=lambda cell: place[cell.group_value])
    return Breakdown(window, named, cells, overflow)


async def list_facets(
    database: Database, wanted: Window, found: RollupFilter, limit: int
) -> tuple[Window, dict[str, list[GroupCount]]]:
    """Return the values of each dimension, counted without that dimension's own part of the filter."""
    async with read_rollups(database, wanted) as (connection, window, _):
        ranges = cover(window)
        facets = {
            dimension: await rank_groups(connection, ranges, others, dimension, limit)
            for dimension, others in _without_own_part(found)
        }
        cells = await _count_error_codes(connection, ranges, found)
    facets[ERROR_CODE] = [GroupCount(cell.group_value, cell.sums["error_count"]) for cell in cells[:limit]]
    return window, facets


def _without_own_part(found: RollupFilter) -> list[tuple[str, RollupFilter]]:
    return [
        ("provider", replace(found, providers=None)),
        ("model", replace(found, models=None)),
        ("operation", replace(found, operations=None)),
        ("environment", replace(found, environments=None)),
    ]


async def _count_error_codes(
    connection: Connection, ranges: Sequence[TierRange], found: RollupFilter
) -> list[Cell]:
    """Return a cell for each error code of a window."""
    return [cell for each in await sum_rollups(connection, ranges, found) for cell in _by_error_code(each)]


def _by_error_code(cell: Cell) -> list[Cell]:
    """Return a cell for each error code of a cell, most errors first."""
    counts = sorted(count_texts(cell.packed["error_codes"]).items(), key=lambda item: (-item[1], item[0]))
    return [
        Cell(
            None,
            code,
            remainder=False,
            sums={**_NO_SUMS, "request_count": count, "error_count": count},
            packed=_NO_COUNTS,
        )
        for code, count in counts
        if count
    ]


def _largest(cells: Sequence[Cell], limit: int) -> list[str]:
    totals: dict[str, int] = {}
    for cell in cells:
        totals[cell.group_value] = totals.get(cell.group_value, 0) + cell.sums["request_count"]
    return sorted(totals, key=lambda group: (-totals[group], group))[:limit]


def _with_remainder(cells: Sequence[Cell], groups: Sequence[str]) -> list[Cell]:
    named = set(groups)
    return [
        cell if cell.group_value in named else cell._replace(group_value="", remainder=True) for cell in cells
    ]

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
    begin_reading,
    count_facets,
    count_overflow,
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
_FINISHED, _BEGINNING, _UNFINISHED, _BEFORE = range(4)
"""Parts of a summary."""
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
    overflow: bool
    """Whether something may be counted under `other` for want of room."""


@asynccontextmanager
async def read_rollups(database: Database, wanted: Window, project_id: str) -> AsyncIterator[Snapshot]:
    """Begin a transaction in which all answers agree."""
    async with database.connection() as connection, connection.transaction(read_only=True):
        kept_from, overflow = await begin_reading(connection, project_id, wanted.start)
        yield Snapshot(connection, counted_window(wanted, kept_from), kept_from, overflow)


async def summarise(database: Database, wanted: Window, found: RollupFilter, now: datetime) -> Summary:
    """Return the numbers of a window, and of as much of the window before it as this one has lasted."""
    async with read_rollups(database, wanted, found.project_id) as snapshot:
        window = snapshot.window
        finished, before = compared_windows(window, snapshot.minutes_from, now)
        parts = {
            _FINISHED: finished,
            _BEGINNING: Window(window.start, finished.start),
            _UNFINISHED: Window(finished.end, window.end),
            _BEFORE: before,
        }
        ranges = [
            each._replace(part=part) for part, each_window in parts.items() for each in cover(each_window)
        ]
        cells = await sum_rollups(snapshot.connection, ranges, found)
        overflow = await _count_overflow(snapshot, found)
    return Summary(
        window=window,
        current=[cell for cell in cells if cell.part != _BEFORE],
        finished=[cell for cell in cells if cell.part == _FINISHED],
        previous_window=before,
        previous=[cell for cell in cells if cell.part == _BEFORE],
        overflow_count=overflow,
    )


async def _count_overflow(snapshot: Snapshot, found: RollupFilter) -> int:
    if not snapshot.overflow:
        return 0
    return await count_overflow(snapshot.connection, cover(snapshot.window), found.project_id)


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
    ranges = cover(snapshot.window, step)
    overflow = await _count_overflow(snapshot, found)
    if group_by == ERROR_CODE:
        cells = [
            cell
            for each in await sum_rollups(snapshot.connection, ranges, found, step=step)
            for cell in _by_error_code(each)
        ]
        groups = _largest(cells, MAX_SERIES)
        return TimeSeries(snapshot.window, groups, _with_remainder(cells, groups), overflow)
    groups = await _largest_groups(snapshot, found, group_by, MAX_SERIES) if group_by else [""]
    cells = await sum_rollups(snapshot.connection, ranges, found, step=step, group_by=group_by, groups=groups)
    return TimeSeries(snapshot.window, groups, cells, overflow)


async def break_down(
    database: Database, wanted: Window, found: RollupFilter, group_by: str, limit: int
) -> Breakdown:
    """Return the largest groups of a dimension."""
    async with read_rollups(database, wanted, found.project_id) as snapshot:
        ranges = cover(snapshot.window)
        overflow = await _count_overflow(snapshot, found)
        if group_by == ERROR_CODE:
            cells = [
                cell
                for each in await sum_rollups(snapshot.connection, ranges, found)
                for cell in _by_error_code(each)
            ]
            return Breakdown(snapshot.window, cells[:limit], cells, overflow)
        groups = await _largest_groups(snapshot, found, group_by, limit)
        cells = await sum_rollups(snapshot.connection, ranges, found, group_by=group_by, groups=groups)
    place = {group: at for at, group in enumerate(groups)}
    named = sorted((cell for cell in cells if not cell.remainder), key=lambda cell: place[cell.group_value])
    return Breakdown(snapshot.window, named, cells, overflow)


async def _largest_groups(snapshot: Snapshot, found: RollupFilter, group_by: str, limit: int) -> list[str]:
    ranked = await rank_groups(snapshot.connection, cover(snapshot.window), found, group_by, limit)
    return [group.value for group in ranked]


async def list_facets(
    database: Database, wanted: Window, found: RollupFilter, limit: int
) -> tuple[Window, dict[str, list[GroupCount]]]:
    """Return the values of each dimension, counted without that dimension's own part of the filter."""
    async with read_rollups(database, wanted, found.project_id) as (connection, window, *_):
        ranges = cover(window)
        all_facets = await count_facets(connection, ranges, found)
        facets = {
            dimension: all_facets.counts.get(dimension, [])[:limit]
            if others == found
            else await rank_groups(connection, ranges, others, dimension, limit)
            for dimension, others in _without_own_part(found)
        }
    codes = _sorted_texts(all_facets.error_codes)
    return window, facets | {ERROR_CODE: [GroupCount(code, count) for code, count in codes][:limit]}


def _without_own_part(found: RollupFilter) -> list[tuple[str, RollupFilter]]:
    return [
        ("provider", replace(found, providers=None)),
        ("model", replace(found, models=None)),
        ("operation", replace(found, operations=None)),
        ("environment", replace(found, environments=None)),
    ]


def _by_error_code(cell: Cell) -> list[Cell]:
    """Return a cell for each error code of a cell, most errors first."""
    return [
        Cell(
            cell.step_start,
            code,
            remainder=False,
            sums={**_NO_SUMS, "request_count": count, "error_count": count},
            packed=_NO_COUNTS,
        )
        for code, count in _sorted_texts(cell.packed["error_codes"])
    ]


def _sorted_texts(packed: bytes) -> list[tuple[str, int]]:
    counts = sorted(count_texts(packed).items(), key=lambda item: (-item[1], item[0]))
    return [(text, count) for text, count in counts if count]


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

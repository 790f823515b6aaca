"""Summaries, time series, breakdowns and facets of a project's calls, read from rollups."""

from __future__ import annotations

import asyncio
import itertools
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from analytics.shortening import shorten_cells
from analytics.windows import HOUR, MINUTE, Window, ceil, counted_window, cover, floor
from storage.rollups import (
    SKETCHES,
    Cell,
    Facets,
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
_MAX_POINTS: Final = 5_000
"""Points of an answer, which is one message: about a megabyte."""
_STEPS_AT_ONCE: Final = 100
"""Steps whose rollups are read at once: their packed counts come joined, and not added up."""
_FINISHED, _BEGINNING, _UNFINISHED, _BEFORE = range(4)
"""Parts of a summary."""
REMAINDER: Final = "other"
"""Name of the groups that are not shown one by one."""


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


def max_series(steps: int) -> int:
    """Return how many series fit into an answer; the rest is summed."""
    return max(1, min(MAX_SERIES, _MAX_POINTS // steps))


async def query_time_series(
    snapshot: Snapshot,
    step: timedelta,
    found: RollupFilter,
    group_by: str,
    *,
    packed: Sequence[str] = SKETCHES,
) -> TimeSeries:
    """Return the numbers of each step, of the largest groups one by one; ``packed`` as in sum_rollups()."""
    overflow = await _count_overflow(snapshot, found)
    groups = [""]
    if group_by:
        steps = math.ceil((snapshot.window.end - snapshot.window.start) / step)
        groups = await _largest_groups(snapshot, found, group_by, max_series(steps))
    cells: list[Cell] = []
    pieces = _pieces(snapshot.window, step)
    for piece in pieces:
        read = await sum_rollups(
            snapshot.connection,
            cover(piece, step),
            found,
            step=step,
            group_by=group_by,
            groups=groups,
            packed=packed,
        )
        cells += read if len(pieces) == 1 else await asyncio.to_thread(shorten_cells, read)
    return TimeSeries(snapshot.window, groups, cells, overflow)


def _pieces(window: Window, step: timedelta) -> list[Window]:
    """Cut a window between steps, so that what is read of it at once is bounded."""
    borders = [window.start]
    while (border := floor(borders[-1], step) + _STEPS_AT_ONCE * step) < window.end:
        borders.append(border)
    return [Window(*each) for each in itertools.pairwise([*borders, window.end])]


async def break_down(
    database: Database,
    wanted: Window,
    found: RollupFilter,
    group_by: str,
    limit: int,
    *,
    packed: Sequence[str] = SKETCHES,
) -> Breakdown:
    """Return the largest groups of a dimension; ``packed`` as in sum_rollups()."""
    async with read_rollups(database, wanted, found.project_id) as snapshot:
        ranges = cover(snapshot.window)
        overflow = await _count_overflow(snapshot, found)
        groups = await _largest_groups(snapshot, found, group_by, limit)
        cells = await sum_rollups(
            snapshot.connection, ranges, found, group_by=group_by, groups=groups, packed=packed
        )
    place = {group: at for at, group in enumerate(groups)}
    named = sorted((cell for cell in cells if not cell.remainder), key=lambda cell: place[cell.group_value])
    return Breakdown(snapshot.window, named, cells, overflow)


async def _largest_groups(snapshot: Snapshot, found: RollupFilter, group_by: str, limit: int) -> list[str]:
    ranked = await rank_groups(snapshot.connection, cover(snapshot.window), found, group_by, limit)
    return [group.value for group in ranked]


async def list_facets(
    database: Database, wanted: Window, found: RollupFilter, limit: int
) -> tuple[Window, Facets]:
    """Return the values of each dimension, counted without that dimension's own part of the filter."""
    async with read_rollups(database, wanted, found.project_id) as (connection, window, *_):
        ranges = cover(window)
        all_facets = await count_facets(connection, ranges, found, limit)
        facets = {
            dimension: all_facets.counts.get(dimension, [])
            if others == found
            else await rank_groups(connection, ranges, others, dimension, limit)
            for dimension, others in _without_own_part(found)
        }
    return window, Facets(facets, all_facets.error_codes)


def _without_own_part(found: RollupFilter) -> list[tuple[str, RollupFilter]]:
    return [
        ("provider", replace(found, providers=None)),
        ("model", replace(found, models=None)),
        ("operation", replace(found, operations=None)),
        ("environment", replace(found, environments=None)),
    ]

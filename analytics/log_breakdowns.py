"""Breakdowns by what rollups do not hold: from digests where there are any, and from logs.

All is read in one snapshot. Requests of all groups come first, and the other numbers only of the groups that
are returned. What digests do not cover is read from the logs; the total comes from the rollups.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from analytics.aggregates import Breakdown, read_rollups
from analytics.digest_plans import list_pieces, make_plan
from analytics.extensions import add_up, rank
from analytics.windows import Window, cover
from storage.columns import PACKED_COUNTS, ROLLUP_SUMS, SKETCH_COUNTS
from storage.log_breakdowns import break_down_logs, count_groups, sum_groups
from storage.log_digests import list_digests, read_details, read_groups
from storage.partitions import get_kept_from
from storage.rollups import Cell, sum_rollups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analytics.aggregates import Snapshot
    from analytics.digest_plans import Place, Plan
    from analytics.log_digests import RankedGroup
    from storage.log_breakdowns import GroupCounts
    from storage.log_digests import GroupNumbers, Piece
    from storage.pool import Database
    from storage.rollups import RollupFilter

MAX_LOG_GROUPS: Final = 100_000
"""Groups of logs without digests that are ranked here; where they are more, Postgres ranks them."""
_NO_CODES: Final = {each.name: b"" for each in PACKED_COUNTS}


async def break_down_by_logs(
    database: Database, wanted: Window, found: RollupFilter, group_by: str, limit: int
) -> Breakdown:
    """Return the largest groups of users, sessions, releases or tags; calls without one are the group ''.

    Logs are kept for a while only, and so the groups of an older window are empty.

    Raises:
        QueryTimeout: There are too many logs, without digests or with a filter.
    """
    async with read_rollups(database, wanted, found.project_id) as snapshot:
        kept_from = await get_kept_from(snapshot.connection)
        kept = Window(max(snapshot.window.start, kept_from), max(snapshot.window.end, kept_from))
        answer = await _break_down_all(snapshot, kept, found, group_by, limit) if found.matches_all else None
        if answer is None:
            answer = await break_down_logs(snapshot.connection, kept, found, group_by, limit)
    groups, total = answer
    return Breakdown(snapshot.window, groups, total, overflow_count=0)


async def _break_down_all(
    snapshot: Snapshot, window: Window, found: RollupFilter, group_by: str, limit: int
) -> tuple[list[Cell], list[Cell]] | None:
    """Return groups and total of all calls; None where there are too many groups to rank here."""
    connection, project_id = snapshot.connection, found.project_id
    plan = make_plan(window, await list_digests(connection, project_id, group_by, window))
    counted = await count_groups(connection, project_id, plan.ranges, group_by, MAX_LOG_GROUPS)
    if counted is None:
        return None
    digests = await read_groups(connection, project_id, group_by, plan.digests)
    ranked, pieces, places = await asyncio.to_thread(_rank, plan, digests, counted, limit)
    names = [each.name for each in ranked]
    from_logs = await sum_groups(connection, project_id, plan.ranges, group_by, names)
    details = await read_details(connection, project_id, group_by, pieces)
    total = await sum_rollups(connection, cover(window), found)
    cells = await asyncio.to_thread(_add_up, names, details, places, {each.name: each for each in from_logs})
    return cells, total


def _rank(
    plan: Plan, digests: Sequence[bytes], counted: GroupCounts, limit: int
) -> tuple[list[RankedGroup], list[Piece], list[list[Place]]]:
    """Return the first groups, and where their records are. Not on an event loop."""
    ranked = rank(digests, counted.names, counted.counts, limit)
    return ranked, *list_pieces(plan.digests, ranked)


def _add_up(
    names: Sequence[str],
    details: Sequence[bytes],
    places: Sequence[Sequence[Place]],
    from_logs: Mapping[str, GroupNumbers],
) -> list[Cell]:
    """Return the cells of groups. Not on an event loop."""
    return [
        _to_cell(
            name, [details[piece][first : first + size] for piece, first, size in each], from_logs.get(name)
        )
        for name, each in zip(names, places, strict=True)
    ]


def _to_cell(name: str, records: Sequence[bytes], from_logs: GroupNumbers | None) -> Cell:
    sums, *sketches = add_up(records, len(ROLLUP_SUMS))
    if from_logs is not None:
        most = (1 << 63) - 1
        sums = [min(most, one + other) for one, other in zip(sums, from_logs.sums, strict=True)]
        sketches = [one + other for one, other in zip(sketches, from_logs.sketches, strict=True)]
    named = zip(SKETCH_COUNTS, sketches, strict=True)
    return Cell(
        step_start=None,
        group_value=name,
        remainder=False,
        sums={each.name: number for each, number in zip(ROLLUP_SUMS, sums, strict=True)},
        packed={**_NO_CODES, **{each.name: packed for each, packed in named}},
    )

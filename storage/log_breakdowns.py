"""Numbers by what rollups do not hold: users, sessions, releases and tags. Read from logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from storage.columns import PACKED_COUNTS, ROLLUP_SUMS
from storage.log_digests import to_numbers
from storage.log_filters import LogFilter
from storage.planning import plan_for_values
from storage.rollups import Cell
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import asyncpg

    from storage.log_digests import GroupNumbers
    from storage.pool import Connection
    from storage.rollups import RollupFilter

_QUERIES: Final = load_queries(__file__)


class Range(NamedTuple):
    """A stretch of time, from start inclusive to end exclusive."""

    start: datetime
    end: datetime


class GroupCounts(NamedTuple):
    """The requests of groups."""

    names: Sequence[str]
    counts: Sequence[int]


async def break_down_logs(
    connection: Connection, window: tuple[datetime, datetime], found: RollupFilter, group_by: str, limit: int
) -> tuple[list[Cell], list[Cell]]:
    """Return the largest groups, most requests first, and the total of all calls.

    Args:
        connection: Is asked.
        window: start_time from inclusive to exclusive.
        found: Which calls.
        group_by: One of storage.log_digests.DIMENSIONS.
        limit: Groups to return.

    Raises:
        QueryTimeout: The window has too many logs.
    """
    await plan_for_values(connection)
    values = {**LogFilter().values(), **found.values()}
    values.update(start_time=window[0], end_time=window[1], row_limit=limit)
    if group_by == "tag":
        rows = await connection.fetch(_QUERIES["break_down_by_tag"], **values)
    else:
        rows = await connection.fetch(_QUERIES["break_down_by_column"], group_by=group_by, **values)
    total = [_to_cell(row) for row in rows if row["is_total"]]
    return [_to_cell(row) for row in rows if not row["is_total"]], total


def _to_cell(row: asyncpg.Record) -> Cell:
    return Cell(
        step_start=None,
        group_value=row["group_value"],
        remainder=False,
        sums={each.name: row[each.name] for each in ROLLUP_SUMS},
        packed={each.name: row[each.name] for each in PACKED_COUNTS},
    )


async def count_groups(
    connection: Connection, project_id: str, ranges: Sequence[Range], group_by: str, max_groups: int
) -> GroupCounts | None:
    """Return the requests of all groups of the logs in some ranges; None where they are too many.

    Raises:
        QueryTimeout: The ranges have too many logs.
    """
    if not ranges:
        return GroupCounts((), ())
    values = {"project_id": project_id, "max_groups": max_groups, **_columns_of(ranges)}
    if group_by == "tag":
        row = await connection.fetch_one(_QUERIES["count_groups_by_tag"], **values)
    else:
        row = await connection.fetch_one(_QUERIES["count_groups_by_column"], group_by=group_by, **values)
    assert row is not None  # noqa: S101 - an aggregate without groups is one row
    return None if len(row["names"]) > max_groups else GroupCounts(row["names"], row["counts"])


async def sum_groups(
    connection: Connection, project_id: str, ranges: Sequence[Range], group_by: str, groups: Sequence[str]
) -> list[GroupNumbers]:
    """Return the numbers of some groups of the logs in some ranges, in no order.

    Raises:
        QueryTimeout: The ranges have too many logs.
    """
    if not ranges or not groups:
        return []
    values = {"project_id": project_id, "groups": groups, **_columns_of(ranges)}
    if group_by == "tag":
        rows = await connection.fetch(_QUERIES["sum_groups_by_tag"], **values)
    else:
        rows = await connection.fetch(_QUERIES["sum_groups_by_column"], group_by=group_by, **values)
    return [to_numbers(row) for row in rows]


def _columns_of(ranges: Sequence[Range]) -> dict[str, object]:
    starts, ends = [each.start for each in ranges], [each.end for each in ranges]
    return {"starts": starts, "ends": ends, "start_time": min(starts), "end_time": max(ends)}

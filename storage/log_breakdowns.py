"""Numbers by what rollups do not hold: users, sessions, releases and tags. Read from logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from storage.columns import PACKED_COUNTS, ROLLUP_SUMS
from storage.log_filters import LogFilter
from storage.planning import plan_for_values
from storage.rollups import Cell
from storage.sql import load_queries

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    from storage.pool import Database
    from storage.rollups import RollupFilter

_QUERIES: Final = load_queries(__file__)
GROUPS: Final = ("user", "session", "release", "tag")


async def break_down_logs(
    database: Database, window: tuple[datetime, datetime], found: RollupFilter, group_by: str, limit: int
) -> tuple[list[Cell], list[Cell]]:
    """Return the largest groups, most requests first, and the total of all calls.

    Args:
        database: Is asked.
        window: start_time from inclusive to exclusive.
        found: Which calls.
        group_by: One of GROUPS.
        limit: Groups to return.

    Raises:
        QueryTimeout: The window has too many logs.
    """
    async with database.connection() as connection, connection.transaction(read_only=True):
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

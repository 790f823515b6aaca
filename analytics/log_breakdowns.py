"""Breakdowns by what rollups do not hold, read from logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.aggregates import Breakdown
from analytics.windows import MINUTE, Window, ceil, floor
from storage.log_breakdowns import break_down_logs

if TYPE_CHECKING:
    from storage.pool import Database
    from storage.rollups import RollupFilter


async def break_down_by_logs(
    database: Database, wanted: Window, found: RollupFilter, group_by: str, limit: int
) -> Breakdown:
    """Return the largest groups of users, sessions, releases or tags; calls without one are the group ''.

    Logs are kept for a while only, and so the groups of an older window are empty.

    Raises:
        QueryTimeout: The window has too many logs.
    """
    window = Window(floor(wanted.start, MINUTE), ceil(wanted.end, MINUTE))
    groups, total = await break_down_logs(database, window, found, group_by, limit)
    return Breakdown(window, groups, total, overflow_count=0)

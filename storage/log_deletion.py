"""Deletes the logs of one environment, and takes them out of the rollups.

Each batch is one transaction, so that at any moment, and after a crash, rows and rollups agree; what is left
is deleted by the next call. Writers and the merger go on meanwhile.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.planning import plan_for_values
from storage.rollup_merges import lock_merges
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
_ROWS_AT_ONCE: Final = 2_000
"""Rows of one transaction: writers that correct them wait for it, some tens of milliseconds."""
_HOUR: Final = timedelta(hours=1)


class HourOfLogs(NamedTuple):
    """How many logs started in an hour."""

    start_time: datetime
    log_count: int


async def count_by_hour(database: Database, *, project_id: str, environment: str) -> list[HourOfLogs]:
    """Count the logs of an environment. Reads every row of the project."""
    rows = await database.fetch(_QUERIES["count_by_hour"], project_id=project_id, environment=environment)
    return [HourOfLogs(row["hour"], row["log_count"]) for row in rows]


async def delete_logs(
    database: Database,
    hours: Sequence[HourOfLogs],
    *,
    project_id: str,
    environment: str,
    on_progress: Callable[[int], None],
) -> int:
    """Delete the logs of an environment that started in these hours; their ids can be used again.

    What is counted of days that retention has dropped goes, too, so that nothing is left of the environment.

    Args:
        database: Where they are.
        hours: From count_by_hour(). Logs that come into other hours meanwhile stay.
        project_id: Only this project's.
        environment: Only this environment's.
        on_progress: Is given how many are deleted so far.

    Returns:
        How many were deleted.

    Raises:
        StorageUnavailable: Some may be deleted; call it again.
    """
    deleted = 0
    for hour in hours:
        while count := await _delete_batch(database, hour.start_time, project_id, environment):
            deleted += count
            on_progress(deleted)
    async with database.connection() as connection, connection.transaction():
        await lock_merges(connection)
        await connection.fetch(
            _QUERIES["forget_dropped_days"], project_id=project_id, environment=environment
        )
    return deleted


async def _delete_batch(database: Database, hour: datetime, project_id: str, environment: str) -> int:
    """Delete some logs of an hour; 0 where there are none."""
    logs = {"project_id": project_id, "environment": environment, "start": hour, "end": hour + _HOUR}
    while True:
        async with database.connection() as connection, connection.transaction():
            await connection.fetch(_QUERIES["lock_writes"])
            await plan_for_values(connection)
            found = await connection.fetch_one(_QUERIES["find_logs"], **logs, row_limit=_ROWS_AT_ONCE)
            if found is None or not found["log_ids"]:
                return 0
            ids = found["log_ids"]
            # A statement of its own: the next one sees what writers did while this one waited for them.
            await connection.fetch(_QUERIES["lock_keys"], log_ids=ids, project_id=project_id)
            row = await connection.fetch_one(
                _QUERIES["delete_logs"], **logs, log_ids=ids, start_times=found["start_times"]
            )
            # None of them is deleted where writers have corrected them all since.
            if row is not None and row["log_count"]:
                return int(row["log_count"])

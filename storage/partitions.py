"""Day partitions of logs and their keys, created ahead of time and dropped after their retention."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from storage.sql import load_queries

if TYPE_CHECKING:
    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
DAYS_BACK: Final = 31
"""Logs older than this share the default partition."""
DAYS_AHEAD: Final = 7


async def ensure_partitions(database: Database, today: date, retention_days: int = 0) -> None:
    """Create the partitions around today that are missing. Safe to repeat and to run in parallel."""
    days_back = min(DAYS_BACK, retention_days or DAYS_BACK)
    async with database.connection() as connection, connection.transaction():
        await connection.fetch(
            _QUERIES["ensure_partitions"],
            first_day=today - timedelta(days=days_back),
            last_day=today + timedelta(days=DAYS_AHEAD),
        )


async def apply_retention(database: Database, today: date, retention_days: int) -> int:
    """Drop the logs of every UTC day that ended more than retention_days ago; 0 keeps them for ever.

    Rollups stay. The key of a dropped log is kept for another retention period, in which sending the log
    again changes nothing, and neither does a correction.

    Returns:
        The number of partitions of logs that were dropped.

    Raises:
        StorageError: Readers held the tables for too long; nothing was dropped, try again later.
    """
    if not retention_days:
        return 0
    first_day = today - timedelta(days=retention_days)
    async with database.connection() as connection, connection.transaction():
        await connection.fetch(_QUERIES["set_lock_timeout"])
        row = await connection.fetch_one(_QUERIES["drop_days_before"], first_day=first_day)
    await _forget_old_keys(database, datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC))
    return int(row["dropped"]) if row is not None else 0


async def _forget_old_keys(database: Database, horizon: datetime) -> None:
    while True:
        row = await database.fetch_one(_QUERIES["forget_old_keys"], horizon=horizon)
        if row is None or not row["key_count"]:
            return

"""Day partitions of logs and their keys, created ahead of time and dropped after their retention."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.lake import WaitingHours, find_waiting_hours, keep_exporters_out
from storage.log_digests import forget_before
from storage.sql import load_queries

if TYPE_CHECKING:
    from storage.pool import Connection, Database

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


async def get_kept_from(connection: Connection) -> datetime:
    """Return from when on logs are kept; datetime.min, in UTC, where nothing was dropped yet."""
    row = await connection.fetch_one(_QUERIES["get_kept_from"])
    assert row is not None  # noqa: S101 - the migration puts one row there
    kept_from: datetime = row["kept_from"]
    return kept_from.replace(tzinfo=UTC)


class Retained(NamedTuple):
    """What retention has done."""

    dropped: int = 0
    """Partitions of logs that were dropped."""
    waiting: WaitingHours = WaitingHours(0, None)
    """Hours for which a day, and all after it, stays longer than it should."""


async def apply_retention(
    database: Database, today: date, retention_days: int, *, exported_only: bool = False
) -> Retained:
    """Drop the logs of every UTC day that ended more than retention_days ago; 0 keeps them for ever.

    Rollups stay. The key of a dropped log is kept for another retention period, in which sending the log
    again changes nothing, and neither does a correction.

    Args:
        database: Where the logs are.
        today: In UTC.
        retention_days: How long they are kept.
        exported_only: Drop a day only if the lake has all hours of it, and of the days before, as they are.

    Raises:
        StorageError: Readers held the tables for too long; nothing was dropped, try again later.
    """
    if not retention_days:
        return Retained()
    first_day = today - timedelta(days=retention_days)
    async with database.connection() as connection, connection.transaction():
        await connection.fetch(_QUERIES["set_lock_timeout"])
        waiting = await _find_waiting(connection, first_day) if exported_only else WaitingHours(0, None)
        if waiting.oldest_hour is not None:
            first_day = waiting.oldest_hour.astimezone(UTC).date()
        row = await connection.fetch_one(_QUERIES["drop_days_before"], first_day=first_day)
        await forget_before(connection, _start_of(first_day))
    await _forget_old_keys(database, _start_of(first_day))
    return Retained(int(row["dropped"]) if row is not None else 0, waiting)


async def _find_waiting(connection: Connection, first_day: date) -> WaitingHours:
    """Return which hours before a day the lake lacks; no writer changes that until the transaction ends."""
    await keep_exporters_out(connection)
    await connection.fetch(_QUERIES["lock_days"])
    await connection.fetch(_QUERIES["lock_logs"])
    return await find_waiting_hours(connection, end=_start_of(first_day))


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def _forget_old_keys(database: Database, horizon: datetime) -> None:
    while True:
        row = await database.fetch_one(_QUERIES["forget_old_keys"], horizon=horizon)
        if row is None or not row["key_count"]:
            return

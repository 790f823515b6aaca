"""Day partitions of logs and their keys, made ahead of time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from storage.sql import load_queries

if TYPE_CHECKING:
    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
DAYS_BACK: Final = 31
"""Logs older than this share the default partition."""
DAYS_AHEAD: Final = 7


async def ensure_partitions(database: Database, today: date) -> None:
    """Make the partitions around today that are missing. Safe to repeat and to run in parallel."""
    async with database.connection() as connection, connection.transaction():
        await connection.fetch(
            _QUERIES["ensure_partitions"],
            first_day=today - timedelta(days=DAYS_BACK),
            last_day=today + timedelta(days=DAYS_AHEAD),
        )

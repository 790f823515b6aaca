"""What health asks of Postgres: whether it can be written, whether its schema fits, and what waits in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.alert_messages import count_undelivered
from storage.migrate import check_schema
from storage.rollups import RollupHealth, get_rollup_health
from storage.sql import load_queries

if TYPE_CHECKING:
    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
_RECENT: Final = timedelta(minutes=10)


class PostgresHealth(NamedTuple):
    """What Postgres says."""

    is_read_only: bool
    dead_letters: int
    """Those that wait for a person."""
    recent_dead_letters: int
    """Of these, those of the last ten minutes."""
    rollups: RollupHealth
    undelivered: int
    """Messages about alerts of the last day that could not be delivered."""


async def get_postgres_health(database: Database) -> PostgresHealth:
    """Return what Postgres says.

    Raises:
        SchemaMismatch: The schema is older than this release.
        StorageUnavailable: Postgres does not answer.
    """
    await check_schema(database)
    now = datetime.now(UTC)
    day_ago = now - timedelta(days=1)
    access = await database.fetch_one(_QUERIES["is_read_only"])
    letters = await database.fetch_one(_QUERIES["count_waiting"], since=now - _RECENT)
    assert access is not None, "a row without FROM"  # noqa: S101 - narrows the type
    assert letters is not None, "counts are one row"  # noqa: S101 - as above
    return PostgresHealth(
        is_read_only=bool(access["is_read_only"]),
        dead_letters=int(letters["waiting"]),
        recent_dead_letters=int(letters["recent"]),
        rollups=await get_rollup_health(database, since=day_ago),
        undelivered=await count_undelivered(database, since=day_ago),
    )

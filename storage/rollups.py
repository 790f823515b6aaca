"""Hourly rollups: read by window, step and group; verified against the raw rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    import asyncpg

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupQuery:
    """Which rollups, and how they are summed. None matches all; group_by is a dimension or ''."""

    project_id: str
    start_hour: datetime
    end_hour: datetime
    step: timedelta
    group_by: str = ""
    providers: Sequence[str] | None = None
    models: Sequence[str] | None = None
    operations: Sequence[str] | None = None
    environments: Sequence[str] | None = None

    def values(self) -> dict[str, object]:
        """Return the parameters of sum_rollups and sum_sketches."""
        return {
            "project_id": self.project_id,
            "start_hour": self.start_hour,
            "end_hour": self.end_hour,
            "step": self.step,
            "origin": self.start_hour,
            "group_by": self.group_by,
            "providers": self.providers,
            "models": self.models,
            "operations": self.operations,
            "environments": self.environments,
        }


class RollupSums(NamedTuple):
    """Sums and sketch buckets, each by (step_start, group_value)."""

    sums: list[asyncpg.Record]
    buckets: list[asyncpg.Record]


class Differences(NamedTuple):
    """What verify found; both empty when every number is right."""

    rollups: list[asyncpg.Record]
    sketches: list[asyncpg.Record]


async def sum_rollups(database: Database, query: RollupQuery) -> RollupSums:
    """Read both tables in one transaction, so that counts and percentiles belong together."""
    async with database.connection() as connection, connection.transaction(read_only=True):
        sums = await connection.fetch(_QUERIES["sum_rollups"], **query.values())
        buckets = await connection.fetch(_QUERIES["sum_sketches"], **query.values())
    return RollupSums(sums, buckets)


async def verify_rollups(database: Database) -> Differences:
    """Recompute every rollup from its raw rows, in one snapshot, and return what differs."""
    async with database.connection() as connection, connection.transaction(read_only=True):
        rollups = await connection.fetch(_QUERIES["verify_rollups"])
        sketches = await connection.fetch(_QUERIES["verify_sketches"])
    return Differences(rollups, sketches)

"""Hourly rollups: read by window, step and group; verified against the raw rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.columns import ROLLUP_SUMS
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    import asyncpg

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupQuery:
    """Selects rollups and says how they are summed. None matches all; group_by is a dimension or ''."""

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


class StepSums(NamedTuple):
    """What the rollups of a step and group add up to."""

    step_start: datetime
    group_value: str
    sums: Mapping[str, int]
    """By name of ROLLUP_SUMS."""


class StepBucket(NamedTuple):
    """Calls of a step and group in a bucket of the sketch."""

    step_start: datetime
    group_value: str
    bucket: int
    latency_count: int
    ttft_count: int


class RollupSums(NamedTuple):
    """Sums and sketch buckets, by step and group."""

    sums: list[StepSums]
    buckets: list[StepBucket]


class RollupDifference(NamedTuple):
    """A rollup that differs from its raw rows."""

    project_id: str
    hour: datetime
    provider: str
    model: str
    operation: str
    environment: str
    expected_count: int
    rollup_count: int


class SketchDifference(NamedTuple):
    """A sketch bucket that differs from its raw rows."""

    rollup_id: int
    bucket: int


class Differences(NamedTuple):
    """What verify_rollups() found; both are empty when every number is right."""

    rollups: list[RollupDifference]
    sketches: list[SketchDifference]


async def sum_rollups(database: Database, query: RollupQuery) -> RollupSums:
    """Read both tables in one transaction, so that counts and percentiles belong together."""
    async with database.connection() as connection, connection.transaction(read_only=True):
        sums = await connection.fetch(_QUERIES["sum_rollups"], **query.values())
        buckets = await connection.fetch(_QUERIES["sum_sketches"], **query.values())
    return RollupSums(
        [StepSums(row["step_start"], row["group_value"], _sums_of(row)) for row in sums],
        [StepBucket(**row) for row in buckets],
    )


def _sums_of(row: asyncpg.Record) -> dict[str, int]:
    return {each.name: int(row[each.name]) for each in ROLLUP_SUMS}


async def verify_rollups(database: Database) -> Differences:
    """Recompute every rollup from its raw rows, in one snapshot, and return what differs."""
    async with database.connection() as connection, connection.transaction(read_only=True):
        rollups = await connection.fetch(_QUERIES["verify_rollups"])
        sketches = await connection.fetch(_QUERIES["verify_sketches"])
    return Differences(
        [RollupDifference(**row) for row in rollups], [SketchDifference(**row) for row in sketches]
    )

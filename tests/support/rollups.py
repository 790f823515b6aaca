"""What the rollups have counted, for tests and benchmarks that look into the database."""

from __future__ import annotations

from analytics.checks import verify_rollups
from storage.pool import Database
from storage.rollup_merges import merge_deltas
from worker.tasks.merge_rollups import shorten

COUNT_REQUESTS = """
SELECT coalesce((SELECT sum(request_count) FROM rollups WHERE tier_minutes = 1440), 0)::bigint
    + coalesce((SELECT sum(request_count) FROM rollup_deltas), 0)::bigint
"""


async def merge_all(database: Database, *, max_groups: int = 1_000) -> None:
    """Merge what waits, as a worker does."""
    while not (await merge_deltas(database, shorten, max_groups=max_groups)).finished:
        pass


async def assert_rollups_are_right(database: Database) -> None:
    """Compare all tiers with the raw rows, as they are and once everything is merged."""
    assert await verify_rollups(database) == []
    await merge_all(database)
    assert await verify_rollups(database) == []

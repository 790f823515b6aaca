"""How a call compares with other calls of its group, from the sketches of rollups."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from analytics.aggregates import read_rollups
from analytics.extensions import count_buckets
from analytics.windows import DAY, Window, cover, floor
from storage.rollups import RollupFilter, sum_rollups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.columns import LogRow
    from storage.pool import Database
    from storage.rollups import Cell


class Rank(NamedTuple):
    """The share of calls that were faster than one, from 0 to 1."""

    faster_share: float
    faster_first_token_share: float | None
    """None where the time to first token is unknown."""
    compared_count: int


def day_of(row: LogRow) -> Window:
    """Return the UTC day of a log."""
    start = floor(row.start_time, DAY)
    return Window(start, start + DAY)


async def read_peers(database: Database, row: LogRow) -> list[Cell]:
    """Return the sums of the log's day, provider, model, operation and environment."""
    found = RollupFilter(
        project_id=row.project_id,
        providers=[row.provider],
        models=[row.model],
        operations=[row.operation],
        environments=[row.environment],
    )
    async with read_rollups(database, day_of(row), row.project_id) as snapshot:
        return await sum_rollups(snapshot.connection, cover(snapshot.window), found)


def rank(row: LogRow, peers: Sequence[Cell]) -> Rank | None:
    """Compare a log with its peers, of which it is one. Not on an event loop.

    None where its latency is unknown, it did not succeed, or its peers are not counted one by one.
    """
    if row.latency_bucket is None:
        return None
    latencies = _count(peers, "latency_sketch")
    if not latencies:
        return None
    return Rank(
        _share_below(latencies, row.latency_bucket),
        None if row.ttft_bucket is None else _share_below(_count(peers, "ttft_sketch"), row.ttft_bucket),
        sum(count for _, count in latencies),
    )


def _count(peers: Sequence[Cell], sketch: str) -> list[tuple[int, int]]:
    return count_buckets(b"".join(cell.packed[sketch] for cell in peers))


def _share_below(counts: Sequence[tuple[int, int]], bucket: int) -> float:
    total = sum(count for _, count in counts)
    return sum(count for other, count in counts if other < bucket) / total if total else 0.0

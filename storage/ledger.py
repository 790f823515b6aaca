"""The delivery ledger: what each producer sent, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from storage.incoming import BatchReport
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from storage.incoming import BatchPart
    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What became of the logs that a producer sent in an hour."""

    producer_id: str
    hour: datetime
    sent_count: int
    received_count: int
    rejected_count: int
    stored_count: int
    dead_lettered_count: int
    duplicate_count: int
    missing_batch_count: int
    """Batch numbers that never came; negative where old ones came late."""
    dropped_before: str
    """JSON: reason to count, of what the producer had dropped by the hour before."""
    dropped_totals: str
    """Likewise by this hour."""
    sdk: str


def count_new(parts: Sequence[BatchPart], new_ids: Sequence[UUID]) -> list[int]:
    """Return how many logs of each batch are new rows; a log in two batches is one row."""
    left = set(new_ids)
    counts = []
    for part in parts:
        mine = left.intersection(log.log_id for log in part.logs)
        left -= mine
        counts.append(len(mine))
    return counts


async def add_batches(
    connection: Connection, parts: Sequence[BatchPart], new_counts: Sequence[int] | None = None
) -> None:
    """Record batches and how many of their logs are new rows, in the transaction that made the rows."""
    counts = new_counts or [0] * len(parts)
    known = [
        (*part.report, count) for part, count in zip(parts, counts, strict=True) if part.report.producer_id
    ]
    if not known:
        return
    columns = map(list, zip(*known, strict=True))
    names = (*BatchReport._fields, "stored_count")
    await connection.fetch(_QUERIES["add_batches"], **dict(zip(names, columns, strict=True)))


async def query_ledger(
    database: Database,
    *,
    project_id: str,
    producer_id: str | None,
    start_time: datetime,
    end_time: datetime,
    before: tuple[datetime, str] | None,
    row_limit: int,
) -> list[LedgerEntry]:
    """Return an entry for each producer and hour, newest hour first."""
    rows = await database.fetch(
        _QUERIES["query_ledger"],
        project_id=project_id,
        producer_id=producer_id,
        start_time=start_time,
        end_time=end_time,
        before_hour=before[0] if before else None,
        before_producer=before[1] if before else None,
        row_limit=row_limit,
    )
    return [LedgerEntry(**row) for row in rows]


async def count_sdk_drops(database: Database, *, since: datetime) -> list[tuple[str, int]]:
    """Return how many logs producers of all projects dropped since a time, by the reason they give.

    They tell with their next batch: a producer that sends nothing is not heard of.
    """
    rows = await database.fetch(_QUERIES["count_sdk_drops"], since=since)
    return [(row["reason"], row["log_count"]) for row in rows]

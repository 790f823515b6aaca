"""The delivery ledger: what each producer sent, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from storage.incoming import BatchReport
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from storage.incoming import BatchPart
    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)


def count_new(parts: Sequence[BatchPart], new_ids: Sequence[UUID]) -> list[int]:
    """Return how many logs of each batch are new rows; a log that is in two batches is one row."""
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
    """Note batches and how many of their logs are new rows, in the transaction that made those."""
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
) -> list[asyncpg.Record]:
    """Return an entry a producer and hour, newest hour first."""
    return await database.fetch(
        _QUERIES["query_ledger"],
        project_id=project_id,
        producer_id=producer_id,
        start_time=start_time,
        end_time=end_time,
        before_hour=before[0] if before else None,
        before_producer=before[1] if before else None,
        row_limit=row_limit,
    )

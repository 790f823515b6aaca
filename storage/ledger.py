"""The delivery ledger: what each producer sent, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)


class BatchReport(NamedTuple):
    """A batch as its producer sent it. Totals are the producer's own, since it started."""

    project_id: str
    producer_id: str
    batch_number: int
    """From 1; 0 for what came back from dead letters one by one."""
    receive_time: datetime
    log_count: int
    """Logs in the batch as it came, rejected ones included."""
    rejected_count: int
    sent_total: int
    dropped_totals: str
    """JSON: reason to count."""
    sdk: str


class BatchPart(NamedTuple):
    """Logs of a batch that are written together."""

    report: BatchReport
    log_ids: Sequence[UUID]


async def add_batches(
    connection: Connection, parts: Sequence[BatchPart], new_ids: Sequence[UUID] = ()
) -> None:
    """Note batches and how many of their logs are new rows, in the transaction that made those."""
    known = [part for part in parts if part.report.producer_id]
    if not known:
        return
    left = {log_id.int for log_id in new_ids}
    stored = []
    for part in known:
        mine = {log_id.int for log_id in part.log_ids} & left
        left -= mine  # a log that is in two batches is one row
        stored.append(len(mine))
    columns = map(list, zip(*(part.report for part in known), strict=True))
    values = dict(zip(BatchReport._fields, columns, strict=True))
    await connection.fetch(_QUERIES["add_batches"], **values, stored_count=stored)


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

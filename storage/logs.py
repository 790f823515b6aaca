"""Logs: claimed, written with their rollups in one transaction, and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from storage.ledger import add_batches
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import asyncpg

    from storage.ledger import BatchPart
    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)


class LogRow(NamedTuple):
    """One row to write, in the order of write_logs' parameters. Durations are microseconds."""

    log_id: UUID
    start_time: datetime
    receive_time: datetime
    end_time: datetime | None
    first_token_time: datetime | None
    latency_us: int | None
    time_to_first_token_us: int | None
    input_token_count: int | None
    output_token_count: int | None
    total_token_count: int | None
    cache_read_token_count: int | None
    cache_write_token_count: int | None
    reasoning_token_count: int | None
    cost_nano_usd: int | None
    http_status: int | None
    latency_bucket: int | None
    ttft_bucket: int | None
    streamed: bool
    project_id: str
    provider: str
    model: str
    operation: str
    environment: str
    outcome: str
    usage_source: str
    session_id: str
    conversation_id: str
    user_id: str
    trace_id: str
    span_id: str
    parent_span_id: str
    response_model: str
    error_code: str
    error_message: str
    finish_reason: str
    provider_request_id: str
    release: str
    price_version: str
    input_preview: str
    output_preview: str
    metadata: str | None
    tags: str | None


class WriteResult(NamedTuple):
    """What became of the rows of one write."""

    stored: int = 0
    """Rows that were new."""
    replaced: int = 0
    """Rows whose content was replaced."""
    stale: int = 0
    """Rows that had this content, or newer content, already."""
    new_ids: frozenset[UUID] = frozenset()
    """The logs that are new rows."""
    foreign_ids: frozenset[UUID] = frozenset()
    """Logs that belong to another project; nothing was written for them."""

    def plus(self, other: WriteResult) -> WriteResult:
        """Return both results as one."""
        return WriteResult(
            self.stored + other.stored,
            self.replaced + other.replaced,
            self.stale + other.stale,
            self.new_ids | other.new_ids,
            self.foreign_ids | other.foreign_ids,
        )


class _Claim(NamedTuple):
    rows: Sequence[LogRow]
    unclaimed: Sequence[LogRow]


async def write_logs(
    database: Database, rows: Sequence[LogRow], parts: Sequence[BatchPart] = ()
) -> WriteResult:
    """Write rows, their rollups and their batches' ledger in one transaction. Repeating changes nothing.

    Of rows with the same log_id the last counts.

    Raises:
        StorageUnavailable: Nothing was written; try again.
        StorageError: The database refused the content; nothing was written.
    """
    last = {row.log_id: row for row in rows}
    async with database.connection() as connection, connection.transaction():
        claim = await _claim(connection, list(last.values()))
        foreign = await _find_foreign(connection, claim.unclaimed)
        stored_ids: Sequence[UUID] = ()
        replaced = 0
        if claim.rows:
            columns = zip(LogRow._fields, map(list, zip(*claim.rows, strict=True)), strict=True)
            written = await connection.fetch_one(_QUERIES["write_logs"], **dict(columns))
            if written is not None:
                stored_ids, replaced = written["stored_ids"] or (), written["replaced_count"]
        await add_batches(connection, parts, stored_ids)
    stored = len(stored_ids)
    stale = len(rows) - stored - replaced - len(foreign)
    return WriteResult(stored, replaced, stale, frozenset(stored_ids), foreign)


async def _claim(connection: Connection, rows: list[LogRow]) -> _Claim:
    if not rows:
        return _Claim((), ())
    claimed = await connection.fetch_one(
        _QUERIES["claim_logs"],
        log_ids=[row.log_id for row in rows],
        project_ids=[row.project_id for row in rows],
        start_times=[row.start_time for row in rows],
        receive_times=[row.receive_time for row in rows],
    )
    if claimed is None:
        return _Claim((), rows)
    if claimed["moved_count"]:
        await connection.fetch(
            _QUERIES["move_logs"],
            log_ids=claimed["moved_ids"],
            old_start_times=claimed["old_start_times"],
            new_start_times=claimed["new_start_times"],
        )
    if claimed["claimed_count"] == len(rows):
        return _Claim(rows, ())
    ids = {UUID(int=log_id.int) for log_id in claimed["claimed_ids"] or ()}
    return _Claim([row for row in rows if row.log_id in ids], [row for row in rows if row.log_id not in ids])


async def _find_foreign(connection: Connection, rows: Sequence[LogRow]) -> frozenset[UUID]:
    if not rows:
        return frozenset()
    owners = await connection.fetch(_QUERIES["find_owners"], log_ids=[row.log_id for row in rows])
    project_of = {UUID(int=owner["log_id"].int): owner["project_id"] for owner in owners}
    return frozenset(row.log_id for row in rows if project_of.get(row.log_id) != row.project_id)


async def get_log(database: Database, *, project_id: str, log_id: UUID) -> asyncpg.Record | None:
    """Return one log's row, or None."""
    return await database.fetch_one(_QUERIES["get_log"], project_id=project_id, log_id=log_id)


async def list_logs(database: Database, **filters: Any) -> list[asyncpg.Record]:
    """Return one keyset page, newest first; the filters are list_logs' parameters, None matching all."""
    return await database.fetch(_QUERIES["list_logs"], **filters)


async def list_errors(database: Database, **filters: Any) -> list[asyncpg.Record]:
    """Return one keyset page of failed calls, newest first; see list_logs."""
    return await database.fetch(_QUERIES["list_errors"], **filters)


async def count_logs(database: Database, *, project_id: str) -> int:
    """Return how many logs a project has."""
    row = await database.fetch_one(_QUERIES["count_logs"], project_id=project_id)
    return int(row["count"]) if row is not None else 0

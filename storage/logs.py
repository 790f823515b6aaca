"""Logs: a row's shape, and reading rows back. storage.log_writes writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)


class LogRow(NamedTuple):
    """One row to write, in the order of write_logs' parameters. Durations are microseconds, JSON is text."""

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

    @property
    def packed_row(self) -> None:
        """Not packed: see storage.log_writes.IncomingLog."""

    @property
    def packed_key(self) -> None:
        """Likewise."""

    def to_row(self) -> LogRow:
        """Return itself: it is one already."""
        return self


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

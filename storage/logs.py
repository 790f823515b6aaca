"""Reading logs by their ids. storage.columns declares their columns, storage.log_writes writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from storage.columns import LogRow
from storage.sql import load_queries

if TYPE_CHECKING:
    from uuid import UUID

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)


async def get_log(database: Database, *, project_id: str, log_id: UUID) -> LogRow | None:
    """Return a log, or None."""
    row = await database.fetch_one(_QUERIES["get_log"], project_id=project_id, log_id=log_id)
    return LogRow._make(row) if row is not None else None


async def list_trace(database: Database, *, project_id: str, trace_id: str, row_limit: int) -> list[LogRow]:
    """Return the first logs of a trace, oldest first."""
    rows = await database.fetch(
        _QUERIES["list_trace"], project_id=project_id, trace_id=trace_id, row_limit=row_limit
    )
    return [LogRow._make(row) for row in rows]


async def count_logs(database: Database, *, project_id: str) -> int:
    """Return how many logs a project has."""
    row = await database.fetch_one(_QUERIES["count_logs"], project_id=project_id)
    return int(row["count"]) if row is not None else 0

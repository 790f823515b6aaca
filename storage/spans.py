"""Spans: what stands around calls in a trace. They are in no rollup, and are kept for a time of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.partitions import DAYS_AHEAD
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from decimal import Decimal
    from uuid import UUID

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
_FIRST_PARTS: Final = 500
"""Parts of traces among which roots are looked for ; then twice as many each time."""
_MAX_PARTS: Final = 8_000
_AROUND: Final = timedelta(days=1)
"""How far around the window the parts of its traces are looked for."""


class SpanRow(NamedTuple):
    """A span as it is stored."""

    project_id: str
    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    operation: str
    start_time: datetime
    end_time: datetime
    status: int
    status_message: str
    scope: str
    service_name: str
    session_id: str
    attributes: str
    """A JSON object."""
    log_id: UUID | None
    receive_time: datetime


class FoundSpan(NamedTuple):
    """A span as it is read; see SpanRow."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    operation: str
    start_time: datetime
    end_time: datetime
    status: int
    status_message: str
    scope: str
    service_name: str
    session_id: str
    attributes: str
    log_id: UUID | None


class RootFilter(NamedTuple):
    """Which traces are listed. None matches all."""

    start_time: datetime
    end_time: datetime
    name_query: str | None = None
    session_id: str | None = None
    service_name: str | None = None
    min_duration: timedelta | None = None
    errors_only: bool = False


class Root(NamedTuple):
    """The root of a trace."""

    trace_id: str
    name: str
    service_name: str
    session_id: str
    start_time: datetime
    duration: timedelta | None
    has_failed: bool


class TraceSums(NamedTuple):
    """What the parts of a trace are together."""

    call_count: int = 0
    span_count: int = 0
    error_count: int = 0
    total_token_count: int | None = None
    cost_nano_usd: int | None = None


async def write_spans(database: Database, spans: Sequence[SpanRow]) -> None:
    """Write spans. Repeating changes nothing; of one span what was received last counts.

    Raises:
        StorageUnavailable: Nothing was written; try again.
        StorageError: The database refused the content; nothing was written.
    """
    last = {
        (span.project_id, span.trace_id, span.span_id, span.start_time): span
        for span in sorted(spans, key=lambda span: span.receive_time)
    }
    if not last:
        return
    columns = dict(zip(SpanRow._fields, map(list, zip(*last.values(), strict=True)), strict=True))
    await database.fetch(
        _QUERIES["write_spans"],
        attributes=columns.pop("attributes"),
        statuses=columns.pop("status"),
        **{f"{name}s": values for name, values in columns.items()},
    )


async def list_spans(
    database: Database, *, project_id: str, trace_id: str, row_limit: int
) -> list[FoundSpan]:
    """Return the first spans of a trace, oldest first."""
    rows = await database.fetch(
        _QUERIES["list_spans"], project_id=project_id, trace_id=trace_id, row_limit=row_limit
    )
    return [FoundSpan(*row) for row in rows]


async def list_roots(
    database: Database,
    root_filter: RootFilter,
    *,
    project_id: str,
    before: tuple[datetime, str],
    row_limit: int,
) -> list[Root]:
    """Return roots of traces, newest first.

    Args:
        database: Where they are.
        root_filter: Which.
        project_id: Whose.
        before: Time and trace id of the last one that is known already.
        row_limit: How many at most.
    """
    roots = list[Root]()
    part_limit = _FIRST_PARTS
    while len(roots) < row_limit:
        parts = await database.fetch(
            _QUERIES["list_parts"],
            **root_filter._asdict(),
            project_id=project_id,
            around_start=root_filter.start_time - _AROUND,
            around_end=root_filter.end_time + _AROUND,
            before_time=before[0],
            before_id=before[1],
            part_limit=part_limit,
        )
        roots += [Root(*list(row)[:-1]) for row in parts if row["is_root"]]
        if len(parts) < part_limit:
            break
        before = (parts[-1]["start_time"], parts[-1]["trace_id"])
        part_limit = min(2 * part_limit, _MAX_PARTS)
    return roots[:row_limit]


async def sum_traces(
    database: Database, *, project_id: str, trace_ids: Sequence[str]
) -> dict[str, TraceSums]:
    """Return what the parts of traces are together; traces of which nothing is known are left out."""
    which = {"project_id": project_id, "trace_ids": list(trace_ids)}
    calls = {row["trace_id"]: row for row in await database.fetch(_QUERIES["sum_calls"], **which)}
    counted = await database.fetch(_QUERIES["count_spans"], **which)
    spans = {row["trace_id"]: int(row["span_count"]) for row in counted}
    return {
        trace_id: TraceSums(
            call_count=int(row["call_count"]) if row else 0,
            span_count=spans.get(trace_id, 0),
            error_count=int(row["error_count"]) if row else 0,
            total_token_count=_to_int(row["total_token_count"]) if row else None,
            cost_nano_usd=_to_int(row["cost_nano_usd"]) if row else None,
        )
        for trace_id in calls.keys() | spans.keys()
        for row in (calls.get(trace_id),)
    }


def _to_int(total: Decimal | None) -> int | None:
    """Return a sum of integers, which Postgres has as numeric; its text may be ``1E+4``."""
    return None if total is None else int(total)


async def ensure_span_partitions(database: Database, today: date, retention_days: int) -> None:
    """Create the partitions around today that are missing. Safe to repeat and to run in parallel."""
    async with database.connection() as connection, connection.transaction():
        await connection.fetch(
            _QUERIES["ensure_partitions"],
            first_day=today - timedelta(days=min(retention_days or 7, 7)),
            last_day=today + timedelta(days=DAYS_AHEAD),
        )


async def drop_old_spans(database: Database, today: date, retention_days: int) -> int:
    """Drop the spans of every UTC day that ended more than retention_days ago; 0 keeps them for ever.

    Returns:
        How many partitions were dropped.

    Raises:
        StorageError: Readers held the table for too long; nothing was dropped, try again later.
    """
    if not retention_days:
        return 0
    async with database.connection() as connection, connection.transaction():
        await connection.fetch(_QUERIES["set_lock_timeout"])
        row = await connection.fetch_one(
            _QUERIES["drop_days_before"], first_day=today - timedelta(days=retention_days)
        )
    return int(row["dropped"]) if row is not None else 0

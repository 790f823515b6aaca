"""Logs as CSV (RFC 4180), streamed. docs/csv.md describes the file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from llm_observe.v1.log_pb2 import Log

from analytics.result_files import escape_formula
from codec.rows import DURATIONS
from server.reads.log_search import MAX_SEARCH_S, search_logs
from server.reads.work import in_thread
from storage.columns import LOG_COLUMNS
from storage.log_searches import KeyRange, LogKey, LogScan

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence
    from uuid import UUID

    from analytics.windows import Window
    from storage.columns import LogRow
    from storage.log_filters import LogFilter
    from storage.pool import Database

    Value: TypeAlias = str | int | UUID | datetime | None

_READ_ROWS: Final = 500
_FIRST_SLICE_ROWS: Final = 2_000
_CHUNK_CHARS: Final = 128 * 1024
"""A chunk ends with the line that exceeds this. Lines have at most 200 KB, so that chunks stay below 1 MB."""


def _columns() -> tuple[str, ...]:
    names = {column.name for column in LOG_COLUMNS}
    fields = [
        f"{field.name}_us" if field.name in DURATIONS else field.name for field in Log.DESCRIPTOR.fields
    ]
    return tuple(name for name in fields if name in names)


COLUMNS: Final = _columns()
"""The header: the fields of Log, in their order. Durations are microseconds."""
_PLACES: Final = tuple([column.name for column in LOG_COLUMNS].index(name) for name in COLUMNS)


async def export_csv(
    database: Database, project_id: str, log_filter: LogFilter, window: Window, row_limit: int
) -> AsyncGenerator[bytes]:
    """Yield the header and the logs of a window, newest first, in chunks of whole lines.

    It reads page after page, and holds no connection while a chunk waits for its reader: a slow one keeps no
    snapshot of the database alive. Each page is limited in time, and not the whole.

    Raises:
        QueryTimeout: A page took too long.
    """
    yield _encode([COLUMNS])
    unread: KeyRange | None = KeyRange.between(*window)
    while unread is not None and row_limit:
        wanted = min(row_limit, _READ_ROWS)
        async with database.connection() as connection:
            scan = LogScan(connection, project_id, log_filter)
            found = await search_logs(
                scan, unread, wanted, budget_s=MAX_SEARCH_S, first_slice_rows=_FIRST_SLICE_ROWS
            )
        row_limit -= len(found.rows)
        unread = found.unread
        if len(found.rows) == wanted:
            unread = KeyRange(LogKey.before(window.start), LogKey.of(found.rows[-1]))
        for chunk in await in_thread(format_rows, found.rows):
            yield chunk


def format_rows(rows: Sequence[LogRow]) -> list[bytes]:
    """Return the lines of rows, in chunks of whole lines. Not on an event loop."""
    return list(_chunks(rows))


def _chunks(rows: Sequence[LogRow]) -> Iterator[bytes]:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([_cell(row[place]) for place in _PLACES])
        if text.tell() > _CHUNK_CHARS:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    if text.tell():
        yield text.getvalue().encode()


def _encode(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: Value) -> str | int:
    if value is None:
        return ""
    if isinstance(value, str):
        return escape_formula(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return str(value)

"""Pages of logs, newest first, which a client may turn in both directions."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from uuid import UUID

from analytics.windows import Window
from codec.rows import to_log
from server.reads.log_search import SEARCH_BUDGET_S, search_logs
from server.reads.work import in_thread
from server.rpc.errors import PageTokenMismatch
from server.rpc.paging import make_page_token, read_cursor
from server.rpc.times import parse_window
from storage.log_searches import KeyRange, LogKey, LogScan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_observe.v1.analytics_service_pb2 import ListErrorsRequest, ListLogsRequest
    from llm_observe.v1.log_pb2 import Log

    from storage.columns import LogRow
    from storage.log_filters import LogFilter
    from storage.pool import Database

    Request: TypeAlias = ListLogsRequest | ListErrorsRequest

_OLDER: Final = "older"
_NEWER: Final = "newer"
_MAX_PAGE_BYTES: Final = 3_500_000
"""Clients of gRPC take no message above 4 MB, unless they are told to."""
_MICROSECOND: Final = timedelta(microseconds=1)


class LogPage(NamedTuple):
    """Logs, newest first, and what leads on from them."""

    logs: list[Log]
    next_page_token: str
    previous_page_token: str
    searched_time: datetime


class _Cursor(NamedTuple):
    """Where a page begins. The first page fixes the window: the last 24 hours must not move on meanwhile."""

    window: Window
    at: LogKey
    newer: bool = False
    """Whether the page holds the logs from here on, and not those before."""

    @classmethod
    def of(cls, request: Request) -> _Cursor:
        found = read_cursor(request, request.page_token, str, datetime, UUID, datetime, datetime)
        if found is None:
            window = parse_window(request.time_range)
            return cls(window, LogKey.before(window.end))
        direction, at_time, at_id, start, end = found
        if direction not in {_OLDER, _NEWER} or not start <= at_time <= end:
            raise PageTokenMismatch
        return cls(Window(start, end), LogKey(at_time, at_id), direction == _NEWER)

    def token(self, request: Request, at: LogKey | None, direction: str) -> str:
        """Return the token of another page of the same window; '' where there is none."""
        return make_page_token(request, (direction, *at, *self.window)) if at is not None else ""


async def list_page(
    database: Database,
    project_id: str,
    log_filter: LogFilter,
    request: Request,
    size: int,
    *,
    budget_s: float = SEARCH_BUDGET_S,
    clock: Callable[[], float] = time.monotonic,
) -> LogPage:
    """Return the page that a request asks for, with what is found within the budget, in seconds.

    Raises:
        PageTokenMismatch: The token belongs to another call.
        InvalidField: The window is wrong.
    """
    cursor = _Cursor.of(request)
    everything = KeyRange.between(*cursor.window)
    keys = KeyRange(cursor.at, everything.upper) if cursor.newer else KeyRange(everything.lower, cursor.at)
    async with database.connection() as connection:
        scan = LogScan(connection, project_id, log_filter, newest_first=not cursor.newer)
        # One more than are shown, so that the last page is known to be the last.
        rows, unread = await search_logs(scan, keys, size + 1, budget_s=budget_s, clock=clock)
    logs = await in_thread(to_logs, rows[:size])
    following = rows[len(logs)] if len(logs) < len(rows) else None
    if cursor.newer:
        # The page ends below the first row that has no room on it.
        rest = LogKey.of(following) if following else unread.lower if unread else None
        return LogPage(
            logs[::-1],
            cursor.token(request, cursor.at, _OLDER),
            cursor.token(request, rest, _NEWER),
            _searched(cursor.at),
        )
    rest = LogKey.of(rows[len(logs) - 1]) if following else unread.upper if unread else None
    return LogPage(
        logs,
        cursor.token(request, rest, _OLDER),
        cursor.token(request, cursor.at if cursor.at != everything.upper else None, _NEWER),
        _searched(rest) if rest else cursor.window.start,
    )


def to_logs(rows: Sequence[LogRow]) -> list[Log]:
    """Return the logs of the first rows: as many as fit into one message, but at least one.

    Not on an event loop: it takes a while.
    """
    logs: list[Log] = []
    size = 0
    for row in rows:
        log = to_log(row)
        size += log.ByteSize()
        if logs and size > _MAX_PAGE_BYTES:
            break
        logs.append(log)
    return logs


def _searched(key: LogKey) -> datetime:
    """Return from when on every log has been read, where those from a place on have been."""
    return key.start_time if key == LogKey.before(key.start_time) else key.start_time + _MICROSECOND

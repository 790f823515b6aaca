"""Reading logs in order of their keys, a slice of a bounded number of rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from storage.columns import LogRow
from storage.sql import load_queries

if TYPE_CHECKING:
    from datetime import datetime

    from storage.log_filters import LogFilter
    from storage.pool import Connection

_QUERIES: Final = load_queries(__file__)
_LOWEST_ID: Final = UUID(int=0)


class LogKey(NamedTuple):
    """A place in the order of logs, which is by start_time and then by log_id."""

    start_time: datetime
    log_id: UUID

    @classmethod
    def of(cls, row: LogRow) -> LogKey:
        """Return the place of a log."""
        return cls(row.start_time, row.log_id)

    @classmethod
    def before(cls, time: datetime) -> LogKey:
        """Return the place before all logs of a time."""
        return cls(time, _LOWEST_ID)


class KeyRange(NamedTuple):
    """Logs from a place inclusive to a place exclusive."""

    lower: LogKey
    upper: LogKey

    @classmethod
    def between(cls, start: datetime, end: datetime) -> KeyRange:
        """Return the logs from a start_time inclusive to one exclusive."""
        return cls(LogKey.before(start), LogKey.before(end))

    def values(self) -> dict[str, object]:
        return {
            "lower_time": self.lower.start_time,
            "lower_id": self.lower.log_id,
            "upper_time": self.upper.start_time,
            "upper_id": self.upper.log_id,
        }


class LogScan(NamedTuple):
    """Reads the logs of a project that a filter selects, newest or oldest first."""

    connection: Connection
    project_id: str
    log_filter: LogFilter
    newest_first: bool = True

    async def split(self, keys: KeyRange, row_count: int) -> tuple[KeyRange, KeyRange | None]:
        """Return the part of a range to read first, of about row_count rows, and what is left of it.

        The rows are those of all filters: so the work is bounded, however few match. A part is the whole
        where an index finds what the filter selects, or everything matches.
        """
        if self.log_filter.matches_all or "trace_id" in self.log_filter.equal:
            return keys, None
        row = await self.connection.fetch_one(
            _QUERIES["split_older" if self.newest_first else "split_newer"],
            project_id=self.project_id,
            errors_only=self.log_filter.selects_errors,
            row_count=row_count,
            **keys.values(),
        )
        if row is None:
            return keys, None
        at = LogKey(row["start_time"], row["log_id"])
        older, newer = KeyRange(keys.lower, at), KeyRange(at, keys.upper)
        return (newer, older) if self.newest_first else (older, newer)

    async def read(self, keys: KeyRange, row_limit: int) -> list[LogRow]:
        """Return the first logs of a range."""
        rows = await self.connection.fetch(
            _QUERIES["read_older" if self.newest_first else "read_newer"],
            project_id=self.project_id,
            row_limit=row_limit,
            **keys.values(),
            **self.log_filter.values(),
        )
        # By place, not by name: a thousand rows of fifty columns would hold up the event loop for 20 ms.
        return [LogRow._make(row) for row in rows]

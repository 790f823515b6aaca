"""A query and its answer. Plain data without dependencies, since the query process imports it too."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MEBIBYTE: Final = 1 << 20
HOUR: Final = timedelta(hours=1)
Parameter: TypeAlias = str | int | float | bool | datetime | None
"""A value of ``$name`` in the SQL."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may use."""

    memory_bytes: int = 256 * MEBIBYTE
    """DuckDB's own limit, for sorts, groups and joins."""
    address_space_bytes: int = 1024 * MEBIBYTE
    """What the process may map beyond what it has at start. Bounds what DuckDB's own limit does not count."""
    cpu_s: int = 8
    """CPU time of all threads, in seconds."""
    time_s: float = 10.0
    """Wall-clock time from the start to the last byte of the answer, in seconds."""
    rows: int = 10_000
    """Rows of the answer; further ones are cut."""
    bytes: int = 16 * MEBIBYTE
    """Bytes of the answer as Arrow; further rows are cut."""
    threads: int = 1
    """Threads of DuckDB."""


USER_LIMITS: Final = Limits()
"""For SQL of users."""
REPORT_LIMITS: Final = Limits(
    memory_bytes=1024 * MEBIBYTE,
    address_space_bytes=3072 * MEBIBYTE,
    cpu_s=60,
    time_s=30.0,
    rows=100_000,
    bytes=64 * MEBIBYTE,
    threads=2,
)
"""For reports, whose SQL is the product's own."""


@dataclass(frozen=True, slots=True)
class HourFile:
    """One hour's Parquet file, on a local disk; ``spool`` brings files from S3 there."""

    hour: datetime
    """When the hour begins; UTC."""
    path: str


@dataclass(frozen=True, slots=True)
class Source:
    """The logs that a query reads as the view ``logs``: each log that begins in [start, end)."""

    project_id: str
    start: datetime
    end: datetime
    files: tuple[HourFile, ...] = ()
    """One file an hour. A caller leaves out hours whose logs are in ``live``."""
    live: bytes = field(default=b"", repr=False)
    """Logs of other hours as an Arrow IPC stream with the columns of the lake's schema; empty for none."""

    @classmethod
    def from_folder(
        cls, lake: Path, project_id: str, start: datetime, end: datetime, *, live: bytes = b""
    ) -> Source:
        """Return the files of a local lake in [start, end). Blocks for a few microseconds an hour."""
        folder = lake / f"project_id={project_id}"
        paths = (
            (hour, folder / f"date={hour:%Y-%m-%d}/hour={hour:%H}/logs.parquet") for hour in hours(start, end)
        )
        files = tuple(HourFile(hour, str(path)) for hour, path in paths if path.exists())
        return cls(project_id, start, end, files, live)


def hours(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the beginning of every hour that [start, end) touches."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield hour
        hour += HOUR


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT statement over ``logs``, in DuckDB's dialect."""

    sql: str = field(repr=False)
    source: Source
    parameters: Mapping[str, Parameter] = field(default_factory=dict, repr=False)
    """Values of ``$name``."""
    limits: Limits = USER_LIMITS
    trusted: bool = False
    """The SQL is the product's own: it may be longer. It is confined like any other."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the answer; its type in DuckDB's words, such as ``TIMESTAMP WITH TIME ZONE``."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Columns:
    """First part of every answer."""

    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of the Arrow IPC stream, in order; at most 1 MiB."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class End:
    """Last part of every answer."""

    row_count: int
    truncated: bool
    """The answer has more rows than were sent."""
    cpu_s: float = 0.0
    """CPU time the query took."""
    peak_bytes: int = 0
    """Most memory (resident) its process had."""


Part: TypeAlias = Columns | Chunk | End

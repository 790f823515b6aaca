"""The logs of a window, each exactly once: from the lake where its files are up to date, else from Postgres.

Which hours come from where, and the logs that Postgres gives, are of one snapshot. A file that is replaced
after it may lack a log that a correction moved to another hour: readers ask is_intact() when they are done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from analytics.lake.layout import hour_file
from analytics.lake.schema import SCHEMA
from analytics.lake.threads import run_in_thread
from analytics.lake.writer import PIECE_BYTES, to_table
from storage.history import Range, are_unchanged, copy_logs, list_lake_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from analytics.lake.store import LakeStore
    from analytics.windows import Window
    from storage.history import LakeFile
    from storage.pool import Database

_HOUR: Final = timedelta(hours=1)


class TooManyLiveLogs(Exception):
    """The lake lacks more logs of the window than may be read from Postgres.

    Args:
        limit: What was exceeded, such as ``200,000 logs``.
    """

    def __init__(self, limit: str) -> None:
        super().__init__(f"more than {limit} of the window are not in the lake")
        self.limit = limit


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLimits:
    """How much may be read from Postgres for a question."""

    rows: int
    size_bytes: int
    """Of the rows as CSV."""
    timeout_s: float


class History(NamedTuple):
    """Where the logs of a project and a window are."""

    project_id: str
    window: Window
    files: Sequence[LakeFile]
    live: bytes
    """Logs that no file has, as an Arrow IPC stream with SCHEMA; empty where there are none."""

    @property
    def names(self) -> list[str]:
        """Return the files' names in the lake."""
        return [hour_file(self.project_id, file.hour) for file in self.files]

    @property
    def lake_time(self) -> datetime | None:
        """Return the end of the last hour that a file is read for, or of the window."""
        return min(self.files[-1].hour + _HOUR, self.window.end) if self.files else None


async def read_history(
    database: Database,
    store: LakeStore | None,
    project_id: str,
    window: Window,
    *,
    columns: Collection[str] | None = None,
    limits: LiveLimits,
) -> History:
    """Return where the logs of a window are, and those that Postgres alone has.

    Args:
        database: Where the later logs are.
        store: The lake; None where there is none.
        project_id: Whose logs.
        window: When they began.
        columns: Those that are needed besides start_time; None means all. Other words do no harm.
        limits: How much may be read from Postgres.

    Raises:
        TooManyLiveLogs: There is more than the limits allow.
        StorageError: See storage.errors.
    """
    live, files = _LiveLogs(limits), []
    async with database.connection() as connection, connection.transaction(read_only=True):
        if store is not None:
            files = await list_lake_files(
                connection, project_id=project_id, start=window.start, end=window.end
            )
        await copy_logs(
            connection,
            live.take,
            project_id=project_id,
            ranges=list(_gaps(window, files)),
            columns=[name for name in SCHEMA.names if columns is None or name in {*columns, "start_time"}],
            row_limit=limits.rows + 1,
            timeout_s=limits.timeout_s,
        )
    return History(project_id, window, [file for file in files if file.row_count], await live.finish())


def _gaps(window: Window, files: Sequence[LakeFile]) -> Iterator[Range]:
    """Return the parts of a window that lie between the files' hours."""
    start = window.start
    for file in files:
        if start < file.hour:
            yield Range(start, file.hour)
        start = file.hour + _HOUR
    if start < window.end:
        yield Range(start, window.end)


async def is_intact(database: Database, store: LakeStore | None, history: History) -> bool:
    """Return whether all files are still those of the history's snapshot.

    A file that is there before Postgres knows of it shows by its size.

    Raises:
        LakeUnavailable: The lake cannot be asked.
        StorageError: See storage.errors.
    """
    if not history.files or store is None:
        return True
    sizes = await run_in_thread(lambda: store.sizes(history.names))
    noted = {name: file.size_bytes for name, file in zip(history.names, history.files, strict=True)}
    return sizes == noted and await are_unchanged(database, history.project_id, history.files)


class _LiveLogs:
    """Makes an Arrow IPC stream of rows of COPY's CSV, in pieces."""

    def __init__(self, limits: LiveLimits) -> None:
        self._limits = limits
        self._piece = bytearray()
        self._size_bytes = 0
        self._row_count = 0
        self._stream = pa.BufferOutputStream()
        self._writer = pa.ipc.new_stream(self._stream, SCHEMA)

    async def take(self, rows: bytes) -> None:
        """Add some whole rows, unless there are too many: an error here would be taken for one of COPY."""
        self._size_bytes += len(rows)
        if self._is_too_large:
            self._piece.clear()
            return
        self._piece.extend(rows)
        if len(self._piece) >= PIECE_BYTES:
            await self._flush()

    @property
    def _is_too_large(self) -> bool:
        return self._size_bytes > self._limits.size_bytes

    async def finish(self) -> bytes:
        """Return the stream; empty if there was no row.

        Raises:
            TooManyLiveLogs: There were more than the limits allow.
        """
        if self._piece:
            await self._flush()
        if self._is_too_large:
            raise TooManyLiveLogs(f"{self._limits.size_bytes >> 20} MB of logs")
        if self._row_count > self._limits.rows:
            raise TooManyLiveLogs(f"{self._limits.rows:,} logs")
        self._writer.close()
        return self._stream.getvalue().to_pybytes() if self._row_count else b""

    async def _flush(self) -> None:
        rows = bytes(self._piece)
        self._piece.clear()
        table = await run_in_thread(lambda: to_table(rows))
        self._row_count += table.num_rows
        self._writer.write_table(table)

"""Hours of logs on their way into the lake (docs/decisions/0019-lake.md).

An hour that is over is sealed: from then on whoever changes its logs raises its generation. An export reads
the generation and the rows in one snapshot, so that it knows which generation the file has.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
    from uuid import UUID

    from storage.pool import Connection, Database

    Sink = Callable[[bytes], Coroutine[Any, Any, None]]
    """Takes some whole rows as CSV."""

_QUERIES: Final = load_queries(__file__)
_SEAL_LOCK_TIMEOUT: Final = "1s"
"""How long sealing waits for writers; others that want to begin wait behind it."""
_MANIFEST_LOCK_TIMEOUT: Final = "30s"
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""No log is older."""


class HourKey(NamedTuple):
    """The logs of a project that started in a UTC hour."""

    project_id: str
    hour: datetime


class LakeHour(NamedTuple):
    """A sealed hour, and what the file in the lake holds of it."""

    project_id: str
    hour: datetime
    generation: int
    exported_generation: int
    """Of the file; 0 before the first export."""
    row_count: int
    size_bytes: int
    sha256: str
    """Hexadecimal; empty where there is no file, as for an hour without logs."""
    export_time: datetime | None

    @property
    def key(self) -> HourKey:
        """Which hour it is."""
        return HourKey(self.project_id, self.hour)

    @property
    def is_clean(self) -> bool:
        """Whether the file holds the hour as it is."""
        return self.generation == self.exported_generation


class HourFile(NamedTuple):
    """The file of an hour, as it was written."""

    path: str
    """In the lake."""
    row_count: int
    size_bytes: int = 0
    sha256: str = ""


class WaitingHours(NamedTuple):
    """Hours whose logs the lake does not have as they are."""

    hour_count: int
    oldest_hour: datetime | None


async def seal_hours(database: Database, *, start: datetime, end: datetime, project_id: str | None) -> int:
    """Seal the hours within a window, which must be over; return how many.

    Raises:
        StorageUnavailable: Writers were at work for too long; try again.
    """
    window = {"project_id": project_id, "start": start, "end": end}
    hours = await database.fetch(_QUERIES["list_unsealed_hours"], **window)
    if not hours:
        return 0
    async with database.connection() as connection, connection.transaction():
        await connection.fetch(_QUERIES["set_lock_timeout"], timeout=_SEAL_LOCK_TIMEOUT)
        # A writer that began before would not see the sealed hour, nor this what the writer adds.
        await connection.fetch(_QUERIES["lock_writers"])
        await connection.fetch(
            _QUERIES["seal_hours"],
            project_ids=[row["project_id"] for row in hours],
            hours=[row["hour"] for row in hours],
        )
    return len(hours)


async def list_hours(
    database: Database,
    *,
    start: datetime,
    end: datetime,
    project_id: str | None,
    only_changed: bool = False,
) -> list[LakeHour]:
    """Return the sealed hours within a window whose logs are kept.

    Args:
        database: Where they are.
        start: Inclusive.
        end: Exclusive.
        project_id: None means all projects.
        only_changed: Only those of which the file or the manifest is not as it should be.
    """
    rows = await database.fetch(
        _QUERIES["list_sealed_hours"],
        project_id=project_id,
        start=start,
        end=end,
        only_changed=only_changed,
    )
    return [LakeHour(*row.values()) for row in rows]


async def list_dropped_hours(
    database: Database, *, start: datetime, end: datetime, project_id: str
) -> list[LakeHour]:
    """Return the hours within a window that the lake has, and whose logs retention has dropped."""
    rows = await database.fetch(_QUERIES["list_dropped_hours"], project_id=project_id, start=start, end=end)
    return [LakeHour(*row.values()) for row in rows]


async def mark_lost(database: Database, hours: Sequence[LakeHour]) -> None:
    """Have hours exported again whose files the lake does not have as they were written."""
    await database.fetch(
        _QUERIES["mark_lost"],
        project_ids=[each.project_id for each in hours],
        hours=[each.hour for each in hours],
        export_times=[each.export_time for each in hours],
    )


async def mark_changed(database: Database, key: HourKey) -> None:
    """Have an hour exported again, whatever its file holds."""
    await database.fetch(_QUERIES["mark_changed"], **key._asdict())


async def find_waiting_hours(connection: Connection | Database, *, end: datetime) -> WaitingHours:
    """Return which hours before a time, with logs, are not in the lake as they are."""
    row = await connection.fetch_one(_QUERIES["find_waiting_hours"], end=end)
    return WaitingHours(row["hour_count"], row["oldest_hour"]) if row is not None else WaitingHours(0, None)


async def keep_exporters_out(connection: Connection) -> None:
    """Wait for the hours that are being read, and let no more begin until the transaction ends."""
    await connection.fetch(_QUERIES["keep_exporters_out"])


class LockedHour:
    """An hour that no other process exports meanwhile."""

    def __init__(self, connection: Connection, key: HourKey, timeout_s: float) -> None:
        self._connection = connection
        self._key = key
        self._timeout_s = timeout_s

    async def copy_rows(self, sink: Sink) -> int | None:
        """Hand all rows to a sink, in order of time; return their generation.

        None means that retention has dropped the hour: what the lake has of it is final.
        """
        async with self._connection.transaction(read_only=True):
            await self._connection.fetch(_QUERIES["set_date_style"])
            row = await self._connection.fetch_one(_QUERIES["get_generation"], **self._key._asdict())
            if row is None:
                return None
            await self._connection.copy_out(
                _QUERIES["copy_hour"], sink, timeout_s=self._timeout_s, **self._key._asdict()
            )
        return int(row["generation"])

    async def check_lock(self) -> None:
        """Check that the hour is still locked: the lock lives as long as the connection.

        Raises:
            StorageUnavailable: It may not be; the file must not be published.
        """
        await self._connection.fetch(_QUERIES["check_connection"])

    async def note_export(self, generation: int, file: HourFile, export_id: UUID | None) -> None:
        """Note that a file was published, and add it to the export that wrote it, in one transaction."""
        await self._connection.fetch(
            _QUERIES["set_exported"],
            **self._key._asdict(),
            generation=generation,
            row_count=file.row_count,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            file=file.path,
            export_id=export_id,
        )

    async def note_rewrite(self, file: HourFile) -> None:
        """Note what the file of an hour will hold whose rows are dropped."""
        await self._connection.fetch(
            _QUERIES["note_rewrite"],
            **self._key._asdict(),
            size_bytes=file.size_bytes,
            sha256=file.sha256,
        )


@asynccontextmanager
async def lock_hour(database: Database, key: HourKey, timeout_s: float) -> AsyncIterator[LockedHour | None]:
    """Lock a sealed hour for an export; None where another process has it.

    Args:
        database: Where its logs are.
        key: Which hour.
        timeout_s: Longest that reading its rows may take, in seconds.
    """
    async with database.connection() as connection:
        # The pool gives the locks back with the connection. Both come before the snapshot, which could
        # otherwise be older than what another export or retention has done.
        await connection.fetch(_QUERIES["share_lake"])
        row = await connection.fetch_one(_QUERIES["try_lock_hour"], **key._asdict())
        yield LockedHour(connection, key, timeout_s) if row is not None and row["locked"] else None


async def list_changed_manifests(
    database: Database, *, project_id: str, start: datetime, end: datetime
) -> list[datetime]:
    """Return the UTC days of which some file is newer than the manifest."""
    rows = await database.fetch(
        _QUERIES["list_changed_manifests"], project_id=project_id, start=start, end=end
    )
    return [row["day"] for row in rows]


async def write_manifest(
    database: Database,
    project_id: str,
    day: datetime,
    write: Callable[[Sequence[LakeHour]], Awaitable[None]],
) -> None:
    """Have a manifest written of the files that a UTC day has; one writer at a time."""
    name = {"project_id": project_id, "day": day}
    async with database.connection() as connection:
        async with connection.transaction():
            await connection.fetch(_QUERIES["set_lock_timeout"], timeout=_MANIFEST_LOCK_TIMEOUT)
            await connection.fetch(_QUERIES["lock_manifest"], **name)
        hours = [LakeHour(*row.values()) for row in await connection.fetch(_QUERIES["list_day"], **name)]
        await write(hours)
        # An hour that was exported meanwhile keeps the manifest in need of another writing.
        await connection.fetch(
            _QUERIES["set_manifest"],
            project_id=project_id,
            hours=[each.hour for each in hours],
            export_times=[each.export_time for each in hours],
        )

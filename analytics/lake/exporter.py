"""Writes one hour of a project's logs into the lake."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from analytics.lake.layout import hour_file
from analytics.lake.threads import run_in_thread
from analytics.lake.writer import PIECE_BYTES, LogFileWriter
from storage.lake import HourFile, lock_hour

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from analytics.lake.store import LakeStore
    from storage.lake import HourKey, LakeHour, LockedHour
    from storage.pool import Database


class Outcome(Enum):
    """What became of an hour."""

    EXPORTED = "exported"
    BUSY = "busy"
    """Another process exports it."""
    DROPPED = "dropped"
    """Retention has dropped its logs: what the lake has of it is final."""


async def export_hour(
    database: Database,
    store: LakeStore,
    key: HourKey,
    *,
    timeout_s: float,
    export_id: UUID | None = None,
) -> Outcome:
    """Make the file of a sealed hour hold its logs as they are; an hour without logs has no file.

    Whatever interrupts this, readers see the file as it was or as it is now, and the hour is not clean
    unless the file is there.

    Args:
        database: Where the logs are.
        store: The lake.
        key: Which hour.
        timeout_s: Longest that reading its rows may take, in seconds.
        export_id: The export whose progress it is, if any.

    Raises:
        LakeUnavailable: The file may not have been written; try again.
        StorageUnavailable: Likewise.
    """
    name = hour_file(*key)
    async with lock_hour(database, key, timeout_s) as hour:
        if hour is None:
            return Outcome.BUSY
        with LogFileWriter(await run_in_thread(lambda: store.staging_folder(name))) as writer:
            generation = await _copy(hour, writer)
            if generation is None:
                return Outcome.DROPPED
            written = await run_in_thread(writer.finish)
            await hour.check_lock()
            if written.row_count:
                await run_in_thread(lambda: store.publish(written.path, name))
                file = HourFile(name, written.row_count, written.size_bytes, written.sha256)
            else:
                await run_in_thread(lambda: store.remove(name))
                file = HourFile(name, 0)
        await hour.note_export(generation, file, export_id)
    return Outcome.EXPORTED


async def find_lost(store: LakeStore, hours: Iterable[LakeHour]) -> list[LakeHour]:
    """Return the clean hours whose files are not in the lake, or are not those that were written.

    Raises:
        LakeUnavailable: The lake cannot be asked.
    """
    files = {hour_file(*each.key): each for each in hours if each.is_clean and each.row_count}
    sizes = await run_in_thread(lambda: store.sizes(files))
    return [each for name, each in files.items() if sizes.get(name) != each.size_bytes]


async def _copy(hour: LockedHour, writer: LogFileWriter) -> int | None:
    """Write the rows of an hour, a piece at a time; return their generation."""
    piece = bytearray()

    async def take(rows: bytes) -> None:
        # What Postgres sends at once are whole rows, so that a piece may end here.
        piece.extend(rows)
        if len(piece) >= PIECE_BYTES:
            await flush()

    async def flush() -> None:
        rows = bytes(piece)
        piece.clear()
        await run_in_thread(lambda: writer.add(rows))

    generation = await hour.copy_rows(take)
    if piece:
        await flush()
    return generation

"""Reads the files of an export's hours, and has those written again that are not what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.lake.checks import check_files
from storage import exports, lake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.lake.store import LakeStore
    from storage.exports import Export
    from storage.lake import LakeHour
    from storage.pool import Database


async def verify_files(database: Database, store: LakeStore, export: Export) -> list[LakeHour]:
    """Note how many files are intact, lost and damaged; return those hours whose logs are gone, too.

    Raises:
        LakeUnavailable: The lake is away.
        StorageUnavailable: Postgres is.
    """
    first = await check_files(store, await _list_files(database, export))
    # What another process has replaced meanwhile is looked at again.
    suspects = {each.key for each in (*first.lost, *first.damaged)}
    again = [each for each in await _list_files(database, export) if each.key in suspects]
    found = await check_files(store, again)
    await exports.set_file_check(
        database,
        export.export_id,
        intact_count=len(first.intact) + len(found.intact),
        lost_count=len(found.lost),
        damaged_count=len(found.damaged),
    )
    wrong = [*found.lost, *found.damaged]
    dropped = {each.key for each in await _list_dropped(database, export)}
    await lake.mark_lost(database, [each for each in wrong if each.key not in dropped])
    return [each for each in wrong if each.key in dropped]


async def _list_files(database: Database, export: Export) -> Sequence[LakeHour]:
    """Return the hours whose files should be what was written: clean ones, and those of dropped days."""
    kept = await lake.list_hours(
        database, start=export.start_time, end=export.end_time, project_id=export.project_id
    )
    files = [*await _list_dropped(database, export), *(each for each in kept if each.is_clean)]
    return [each for each in files if each.row_count]


async def _list_dropped(database: Database, export: Export) -> list[LakeHour]:
    return await lake.list_dropped_hours(
        database, start=export.start_time, end=export.end_time, project_id=export.project_id
    )

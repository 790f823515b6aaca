"""Makes a backup while everything goes on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from analytics.lake.layout import hour_file
from analytics.lake.store import LakeUnavailable
from stack.backup.archive import (
    ArchivedLakeFile,
    ArchivedTable,
    BackupError,
    Manifest,
    new_archive,
    table_path,
    writing,
)
from storage.backups import read_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from analytics.lake.store import LakeStore
    from stack.backup.archive import NewArchive
    from storage.backups import LakeFile, Snapshot, SnapshotTable
    from storage.settings import StorageSettings

    Report = Callable[[str, int], None]
    """Takes what is being done, and how many rows or files are done so far."""

_LAKE_FOLDER: Final = "lake"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made."""

    path: Path
    manifest: Manifest
    damaged_lake_files: list[str]
    """Files that the lake lacks or has damaged, and whose logs Postgres no longer has either."""


async def create_backup(
    settings: StorageSettings, lake: LakeStore | None, folder: Path, report: Report
) -> Backup:
    """Make a backup in a folder of backups.

    Args:
        settings: Where the database is.
        lake: Whose files are copied, too; None leaves them out.
        folder: Gets a folder of the backup's own.
        report: Is told how far it is.

    Raises:
        BackupError: It cannot be written, or the lake cannot be read. Nothing is left.
        StorageUnavailable: The database cannot be read. Nothing is left.
    """
    now = datetime.now(UTC)
    with new_archive(folder, now) as archive:
        async with read_snapshot(settings) as snapshot:
            tables = [await _copy_table(snapshot, table, archive, report) for table in snapshot.tables]
            wanted = await snapshot.list_lake_files()
            copied = _copy_lake(lake, wanted, archive, report) if lake is not None else None
            manifest = Manifest(
                release=version("llm-observe-stack"),
                postgres_version=snapshot.server_version,
                create_time=now.isoformat(timespec="seconds"),
                migrations=await snapshot.list_migrations(),
                days=[f"{day:%Y-%m-%d}" for day in await snapshot.list_days()],
                tables=tables,
                lake_files=copied,
            )
        archive.write_manifest(manifest)
        path = archive.target
    return Backup(path, manifest, _find_damaged(wanted, copied))


async def _copy_table(
    snapshot: Snapshot, table: SnapshotTable, archive: NewArchive, report: Report
) -> ArchivedTable:
    rows = 0
    with archive.open_table(table.name) as write:

        async def take(data: bytes) -> None:
            nonlocal rows
            with writing():
                write(data)
            rows += data.count(b"\n")  # others are escaped
            report(table.name, rows)

        count = await snapshot.copy_out(table, take)
    return ArchivedTable(
        name=table.name,
        columns=list(table.columns),
        row_count=count,
        file=archive.finish_file(table_path(table.name)),
    )


def _copy_lake(
    lake: LakeStore, wanted: list[LakeFile], archive: NewArchive, report: Report
) -> list[ArchivedLakeFile]:
    """Copy the files of the lake that are there; they may be newer than the snapshot."""
    copied = []
    for done, each in enumerate(wanted, 1):
        name = hour_file(each.project_id, each.hour)
        if _copy_lake_file(lake, name, archive):
            file = archive.finish_file(f"{_LAKE_FOLDER}/{name}")
            copied.append(ArchivedLakeFile(project_id=each.project_id, hour=each.hour.isoformat(), file=file))
        report("lake", done)
    return copied


def _copy_lake_file(lake: LakeStore, name: str, archive: NewArchive) -> bool:
    try:
        source = lake.open_file(name)
    except LakeUnavailable as error:
        raise BackupError(f"the lake cannot be read: {error}") from error
    if source is None:
        return False
    with writing(), source, archive.open_file(f"{_LAKE_FOLDER}/{name}").open("wb") as target:
        shutil.copyfileobj(source, target)
    return True


def _find_damaged(wanted: list[LakeFile], copied: list[ArchivedLakeFile] | None) -> list[str]:
    if copied is None:
        return []
    digests = {(each.project_id, each.hour): each.file.sha256 for each in copied}
    return [
        hour_file(each.project_id, each.hour)
        for each in wanted
        if not each.is_kept and digests.get((each.project_id, each.hour.isoformat())) != each.sha256
    ]

"""Restores a backup into an empty database and lake: all of it, or nothing that could be taken for it."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from analytics.lake.layout import hour_file
from analytics.lake.store import LakeUnavailable
from stack.backup.archive import BackupError, check_files, read_manifest
from storage.backups import LakeFile, SnapshotTable, check_empty, fill_database, read_migrations
from storage.migrate import list_migrations, migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from analytics.lake.store import LakeStore
    from stack.backup.archive import ArchivedLakeFile, ArchivedTable, Manifest
    from storage.backups import Target
    from storage.settings import StorageSettings

    Report = Callable[[str, int], None]

_CHUNK_BYTES: Final = 1 << 20


async def restore_backup(
    settings: StorageSettings, lake: LakeStore | None, folder: Path, report: Report
) -> Manifest:
    """Restore a backup, and bring the schema up to this release's.

    The rows are committed together, after everything else is there: whatever interrupts this before, the
    database is still empty, and the same call can be made again.

    Args:
        settings: Of an empty database. It may have the schema, up to that of the backup.
        lake: Where the lake's files go; None leaves them out.
        folder: The backup.
        report: Is told how far it is.

    Raises:
        BackupError: The backup is damaged, not whole, or of a newer release, or the target does not fit it.
        TargetNotEmpty: The database has rows. Nothing was changed.
        StorageError: The database cannot be written.
    """
    manifest = read_manifest(folder)
    _check_schema(manifest, await read_migrations(settings))
    await asyncio.to_thread(check_files, folder, manifest, lambda done: report("checking files", done))
    if lake is not None:
        _check_lake(lake, manifest)
    await migrate(settings, only=manifest.migrations.keys())
    if lake is not None:
        await check_empty(settings)
        await _copy_lake(lake, folder, manifest, report)  # takes long, so while no table is locked
    async with fill_database(settings) as target:
        await target.make_days([date.fromisoformat(day) for day in manifest.days])
        for table in manifest.tables:
            await _copy_table(target, folder, table, report)
        if lake is not None:
            await target.mark_lake_hours([_to_lake_file(file) for file in manifest.lake_files or ()])
    await migrate(settings)
    return manifest


def _check_schema(manifest: Manifest, applied: dict[str, str]) -> None:
    known = {migration.name: migration.sha256 for migration in list_migrations()}
    if newer := sorted(manifest.migrations.keys() - known.keys()):
        raise BackupError(
            f"the backup is of a newer release ({manifest.release}), whose schema this one does not know"
            f" ({', '.join(newer)}): restore it with that release"
        )
    if changed := [name for name, digest in manifest.migrations.items() if known[name] != digest]:
        raise BackupError(f"the backup's schema is not that of a release: {', '.join(changed)} differ")
    if newer := sorted(applied.keys() - manifest.migrations.keys()):
        raise BackupError(
            f"the target's schema is newer than the backup's ({', '.join(newer)}): restore into a database"
            " without tables, which is then brought up to date"
        )


def _check_lake(lake: LakeStore, manifest: Manifest) -> None:
    """Refuse a lake that has other files than the backup's; what a killed restore has left is the same."""
    if manifest.lake_files is None:
        raise BackupError(
            "the backup was made without the lake: add --without-lake, and keep the lake as it is"
        )
    expected = {_name_of(each): each.file.sha256 for each in manifest.lake_files}
    try:
        for name in lake.list_files():
            if lake.digest(name) != expected.get(name):
                raise BackupError(
                    f"the target lake is not empty ({name}): restore into a new one, or add --without-lake to"
                    " leave it as it is"
                )
    except LakeUnavailable as error:
        raise BackupError(f"the lake cannot be read: {error}") from error


async def _copy_lake(lake: LakeStore, folder: Path, manifest: Manifest, report: Report) -> None:
    for done, file in enumerate(manifest.lake_files or (), 1):
        await asyncio.to_thread(_publish, lake, folder, file)
        report("lake", done)


def _publish(lake: LakeStore, folder: Path, each: ArchivedLakeFile) -> None:
    name = _name_of(each)
    try:
        staged = lake.staging_folder(name) / f".{uuid.uuid4().hex}.tmp"
        try:
            shutil.copyfile(folder / each.file.path, staged)
            lake.publish(staged, name)
        finally:
            staged.unlink(missing_ok=True)
    except LakeUnavailable as error:
        raise BackupError(f"the lake cannot be written: {error}") from error
    except OSError as error:
        raise BackupError(f"the lake cannot be written: {os.strerror(error.errno or 0)}") from error


async def _copy_table(target: Target, folder: Path, table: ArchivedTable, report: Report) -> None:
    async def rows() -> AsyncIterator[bytes]:
        done = 0
        with pa.input_stream(str(folder / table.file.path), compression="zstd") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                done += chunk.count(b"\n")
                report(table.name, done)
                yield chunk

    count = await target.copy_in(SnapshotTable(table.name, tuple(table.columns)), rows())
    if count != table.row_count:
        raise BackupError(f"table {table.name} has {count} rows, and the manifest says {table.row_count}")


def _name_of(each: ArchivedLakeFile) -> str:
    return hour_file(each.project_id, datetime.fromisoformat(each.hour))


def _to_lake_file(each: ArchivedLakeFile) -> LakeFile:
    hour = datetime.fromisoformat(each.hour)
    return LakeFile(each.project_id, hour, each.file.sha256, is_kept=True)

"""A backup that is killed is none, and a restore that is killed leaves an empty database."""

from __future__ import annotations

import asyncio

import pytest

from analytics.checks import verify_rollups
from stack.backup.archive import BackupError, list_archives, read_manifest
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.backups import some_rows
from tests.support.databases import digest_tables
from tests.support.dying import die_at
from tests.support.lake import export_all
from tests.support.packing import insert

RUN = """
import asyncio
from pathlib import Path
from analytics.lake.settings import LakeSettings
from stack.backup.create import create_backup
from stack.backup.restore import restore_backup
from storage.settings import StorageSettings

what, url, lake, folder = sys.argv[1:]
run = create_backup if what == "backup" else restore_backup
store = LakeSettings(url=lake).open_store()
asyncio.run(run(StorageSettings(database_url=url), store, Path(folder), lambda *_: None))
"""


@pytest.mark.parametrize(
    "where",
    [
        "stack.backup.archive:NewArchive.finish_file",
        "stack.backup.create:_copy_lake",
        "stack.backup.create:Manifest",
        "stack.backup.archive:NewArchive.write_manifest",
        "stack.backup.archive:_publish",
    ],
)
async def test_a_killed_backup_is_none(database, database_url, lake, folder, make_backup, where):
    await insert(database, some_rows())
    await export_all(database, lake)
    await asyncio.to_thread(die_at, where, RUN, "backup", database_url, lake.url, str(folder))
    (part,) = folder.glob("llm-observe-*")
    assert list_archives(folder) == []
    with pytest.raises(BackupError, match="not whole"):
        read_manifest(part)
    path = await make_backup(lake)
    assert list_archives(folder) == [path]
    assert not part.exists()


@pytest.mark.parametrize(
    "where",
    [
        "stack.backup.restore:check_files",
        "stack.backup.restore:fill_database",
        "stack.backup.restore:_to_lake_file",
        "stack.backup.restore:SnapshotTable",
        "storage.backups:Target.finish",
    ],
)
async def test_a_killed_restore_leaves_an_empty_database(
    database, database_url, lake, target_lake, make_backup, restore, target_url, where
):
    await insert(database, some_rows())
    await export_all(database, lake)
    path = await make_backup(lake)
    await asyncio.to_thread(die_at, where, RUN, "restore", target_url, target_lake.url, str(path))
    left = await digest_tables(target_url)
    assert {name for name, (count, _) in left.items() if count} <= {
        "projects", "retention", "minute_rollups_kept", "schema_migrations",
    }  # fmt: skip
    await restore(path, target_lake)
    before, after = await digest_tables(database_url), await digest_tables(target_url)
    assert after["logs"] == before["logs"]
    restored = Database(StorageSettings(database_url=target_url))
    assert await verify_rollups(restored) == []
    await restored.close()

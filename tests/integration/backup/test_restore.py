"""What a target must be, and what a backup must be: otherwise nothing is restored."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import asyncpg
import pytest

import storage.backups
import storage.migrate
from stack.backup.archive import BackupError
from stack.backup.restore import restore_backup
from storage.backups import TargetNotEmpty
from storage.errors import StorageUnavailable
from storage.migrate import migrate
from storage.settings import StorageSettings
from tests.support.backups import silent, some_file, some_rows
from tests.support.databases import digest_tables, empty_database
from tests.support.lake import export_all
from tests.support.packing import insert

# -- what a target must be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "left",
    [
        "INSERT INTO projects VALUES ('mine', '')",
        "INSERT INTO log_keys VALUES (uuidv7(), 'default', now(), now())",
        (
            "INSERT INTO dead_letters (project_id, reason, message, log_count, attempt_count,"
            " first_attempt_time, payload, dedup_key)"
            " VALUES ('default', 'refused', '', 1, 3, now(), '{}', 'k')"
        ),
    ],
)
async def test_a_target_with_rows_is_refused(database, make_backup, restore, target_url, left):
    await insert(database, some_rows())
    path = await make_backup()
    await migrate(StorageSettings(database_url=target_url))
    connection = await asyncpg.connect(target_url)
    await connection.execute(left)
    before = await digest_tables(target_url)
    with pytest.raises(TargetNotEmpty, match="not empty"):
        await restore(path)
    assert await digest_tables(target_url) == before
    await connection.close()


async def test_a_database_of_something_else_is_refused(make_backup, restore, target_url):
    path = await make_backup()
    connection = await asyncpg.connect(target_url)
    await connection.execute("CREATE TABLE invoices ()")
    await connection.close()
    with pytest.raises(TargetNotEmpty, match="something else: invoices"):
        await restore(path)
    assert (await digest_tables(target_url)).keys() == {"invoices"}


async def test_a_target_in_use_is_refused(make_backup, restore, target_url, monkeypatch):
    monkeypatch.setattr("storage.backups._LOCK_TIMEOUT", "10ms")
    path = await make_backup()
    await migrate(StorageSettings(database_url=target_url))
    connection = await asyncpg.connect(target_url)
    await connection.execute("BEGIN; SELECT count(*) FROM logs")
    with pytest.raises(StorageUnavailable, match="in use"):
        await restore(path)
    await connection.close()
    await restore(path)


async def test_a_lake_with_other_files_is_refused(
    database, lake, target_lake, make_backup, restore, target_url
):
    await insert(database, some_rows())
    await export_all(database, lake)
    path = await make_backup(lake)
    shutil.copytree(lake.url, target_lake.url)
    await restore(path, target_lake)  # the same files are no harm
    async with empty_database(target_url) as another:
        some_file(target_lake).write_bytes(b"another")
        with pytest.raises(BackupError, match="lake is not empty"):
            await restore_backup(
                StorageSettings(database_url=another), target_lake.open_store(), path, silent
            )
        assert await digest_tables(another) == {}


# -- what a backup must be -------------------------------------------------------------------------------


async def test_a_backup_of_a_newer_release_is_refused(make_backup, restore, target_url):
    path = await make_backup()
    change_manifest(path, lambda said: said["migrations"].update({"9999_future": "x"}))
    with pytest.raises(BackupError, match=r"newer release .*9999_future"):
        await restore(path)
    assert await digest_tables(target_url) == {}


async def test_a_backup_of_an_older_release_is_brought_up_to_date(
    database, make_backup, restore, target_url, tmp_path, monkeypatch
):
    await insert(database, some_rows())
    path = await make_backup()
    newer = tmp_path / "newer"
    shutil.copytree(storage.migrate._FOLDER, newer)
    (newer / "9000_newer.sql").write_text("ALTER TABLE logs ADD COLUMN newer text NOT NULL DEFAULT 'x'")
    monkeypatch.setattr(storage.migrate, "_FOLDER", newer)
    await restore(path)
    connection = await asyncpg.connect(target_url)
    assert await connection.fetchval("SELECT count(*) FROM logs WHERE newer = 'x'") == 60
    await connection.close()
    # Not into a schema that has a newer one's columns already.
    async with empty_database(target_url) as migrated:
        await migrate(StorageSettings(database_url=migrated))
        with pytest.raises(BackupError, match="schema is newer"):
            await restore_backup(StorageSettings(database_url=migrated), None, path, silent)


def change_manifest(path: Path, change) -> None:
    said = json.loads((path / "manifest.json").read_text())
    change(said)
    (path / "manifest.json").write_text(json.dumps(said))


def _flip_a_bit(path: Path) -> None:
    file = path / "tables/logs.copy.zst"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGE = {
    "bit": (_flip_a_bit, "damaged"),
    "missing": (lambda path: (path / "tables/logs.copy.zst").unlink(), "No such file"),
    "short": (lambda path: os.truncate(path / "tables/logs.copy.zst", 10), "damaged"),
    "no-manifest": (lambda path: (path / "manifest.json").unlink(), "is no backup"),
    "half-manifest": (lambda path: os.truncate(path / "manifest.json", 100), "is damaged"),
    "count": (
        lambda path: change_manifest(path, lambda said: said["tables"][-1].update(row_count=-1)),
        "rows",
    ),
    "format": (lambda path: change_manifest(path, lambda said: said.update(format=2)), "another release"),
    "outside": (
        lambda path: change_manifest(path, lambda said: said["tables"][0]["file"].update(path="../secret")),
        "is damaged",
    ),
    "table": (
        lambda path: change_manifest(path, lambda said: said["tables"][0].update(name="n")),
        "no table n",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
async def test_a_damaged_backup_is_refused(database, make_backup, restore, target_url, damage):
    await insert(database, some_rows())
    path = await make_backup()
    spoil, said = damage
    spoil(path)
    with pytest.raises(Exception, match=said):
        await restore(path)
    assert sum(count for name, (count, _) in (await digest_tables(target_url)).items() if "log" in name) == 0

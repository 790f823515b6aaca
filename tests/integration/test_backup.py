"""Backups: whole or none, of one instant, and restored whole or not at all."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

import storage.backups
import storage.migrate
from analytics.checks import verify_rollups
from stack.backup.archive import BackupError, list_archives, new_archive, read_manifest, remove_old
from stack.backup.create import create_backup
from stack.backup.restore import restore_backup
from storage.backups import TargetNotEmpty
from storage.errors import StorageUnavailable
from storage.migrate import migrate
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.databases import digest_tables, empty_database
from tests.support.lake import START, assert_lake_is_right, export_all, lake_settings, read_lake, row_at
from tests.support.packing import insert, upsert
from tests.support.rollups import assert_rollups_are_right, merge_all

STRANGE = "tab\t newline\n return\r backslash\\ \\N \\. ü注文🙂 'quote' \"double\""
LATER = START + timedelta(days=1)
UNCOMPARED = {"schema_migrations", "lake_hours"}
"""When a migration was applied; and what is to be written again."""


def silent(_step: str, _done: int) -> None:
    pass


@pytest.fixture
async def target_url(database_url):
    """A database without tables."""
    async with empty_database(database_url) as url:
        yield url


@pytest.fixture
def lake(tmp_path):
    return lake_settings(tmp_path / "lake")


@pytest.fixture
def target_lake(tmp_path):
    return lake_settings(tmp_path / "restored-lake")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backups"


@pytest.fixture
def make_backup(database_url, folder):
    """Makes a backup of the test's database, and returns its folder."""

    async def make(lake=None) -> Path:
        store = lake.open_store() if lake is not None else None
        return (await create_backup(StorageSettings(database_url=database_url), store, folder, silent)).path

    return make


@pytest.fixture
def restore(target_url):
    """Restores a backup into the empty database."""

    async def run(path: Path, lake=None) -> None:
        store = lake.open_store() if lake is not None else None
        await restore_backup(StorageSettings(database_url=target_url), store, path, silent)

    return run


def some_rows(count: int = 60, **fields):
    return [
        row_at(
            number % 20, user_id=f"user-{number % 3}", input_preview=STRANGE, error_message=STRANGE, **fields
        )
        for number in range(count)
    ]


def some_file(lake) -> Path:
    return next(Path(lake.url).rglob("*.parquet"))


async def fill(database, sql) -> None:
    """A few rows in every table that people and workers fill, with texts that COPY might confuse."""
    await insert(database, some_rows())
    await merge_all(database)
    await insert(database, some_rows(5))  # what is not merged yet
    await sql.execute("INSERT INTO projects VALUES ('acme', $1)", STRANGE)
    await sql.execute(
        "INSERT INTO api_keys (project_id, prefix, secret_sha256, roles)"
        " VALUES ('acme', 'p', '\\x00ff0a5c', ARRAY['ingest', 'read'])"
    )
    conversation = await sql.fetchval(
        "INSERT INTO conversations (project_id, session_id, title) VALUES ('acme', 's', $1)"
        " RETURNING conversation_id",
        STRANGE,
    )
    await sql.execute(
        "INSERT INTO messages (project_id, conversation_id, role, content) VALUES ('acme', $1, 'user', $2)",
        conversation,
        STRANGE,
    )
    await sql.execute(
        "INSERT INTO dead_letters (project_id, reason, message, log_count, attempt_count, first_attempt_time,"
        " payload, dedup_key) VALUES ('acme', 'refused', '', 1, 3, now(), $1, 'k')",
        json.dumps({"text": STRANGE}),
    )


async def test_everything_comes_back(database, database_url, sql, make_backup, restore, target_url):
    await fill(database, sql)
    await restore(await make_backup())
    before, after = await digest_tables(database_url), await digest_tables(target_url)
    for name in before.keys() - UNCOMPARED:
        assert after[name] == before[name], name
    assert before["dead_letters"][0] == before["messages"][0] == 1
    # The same partitions, and numbers that go on after those that were given out.
    partitions = (
        "SELECT array_agg(relname ORDER BY relname) FROM pg_class WHERE relispartition AND relkind = 'r'"
    )
    restored = await asyncpg.connect(target_url)
    assert await restored.fetchval(partitions) == await sql.fetchval(partitions)
    await restored.close()
    other = Database(StorageSettings(database_url=target_url))
    await insert(other, some_rows(5))
    await assert_rollups_are_right(other)
    await other.close()


async def test_a_backup_under_load_is_of_one_instant(database, sql, make_backup, restore, target_url):
    """Rows, keys, rollups and ledger of the copy agree, whatever was written while it was made."""
    await insert(database, some_rows())
    stop = asyncio.Event()
    written = 60

    async def write() -> None:
        nonlocal written
        while not stop.is_set():
            rows = some_rows(7)
            await insert(database, rows)
            await upsert(
                database, [row._replace(receive_time=LATER, input_preview="new") for row in rows[:3]]
            )
            await merge_all(database)
            written += 7

    writing = asyncio.create_task(write())
    while written < 80:
        await asyncio.sleep(0)
    path = await make_backup()
    stop.set()
    await writing
    await restore(path)
    counts = {table.name: table.row_count for table in read_manifest(path).tables}
    assert 60 < counts["logs"] <= written
    assert counts["log_keys"] == counts["logs"]
    restored = Database(StorageSettings(database_url=target_url))
    assert await verify_rollups(restored) == []
    await assert_rollups_are_right(restored)
    await restored.close()


async def test_retention_waits_for_a_backup(database, sql, make_backup, restore, target_url, monkeypatch):
    """Dropping partitions is seen by all snapshots: rows of a dropped day would be missing."""
    await insert(database, some_rows())
    refused = []
    list_days = storage.backups.Snapshot.list_lake_files

    async def while_retention_tries(self):
        await sql.execute("SET lock_timeout = '20ms'")
        with suppress(asyncpg.LockNotAvailableError):
            await sql.execute("SELECT drop_days_before(current_date)")
            refused.append("dropped")
        return await list_days(self)

    monkeypatch.setattr(storage.backups.Snapshot, "list_lake_files", while_retention_tries)
    await restore(await make_backup())
    assert refused == []
    restored = Database(StorageSettings(database_url=target_url))
    assert await verify_rollups(restored) == []
    await restored.close()


async def test_the_lake_comes_along(database, sql, lake, target_lake, make_backup, restore, target_url):
    await insert(database, some_rows())
    await export_all(database, lake)
    # One hour changes after its export: its file is not what Postgres has.
    await insert(database, [row_at(1.5)])
    await restore(await make_backup(lake), target_lake)
    files, restored_files = read_lake(lake), read_lake(target_lake)
    assert {n: f for n, f in files.items() if n.endswith("parquet")} == restored_files
    restored = Database(StorageSettings(database_url=target_url))
    connection = await asyncpg.connect(target_url)
    await export_all(restored, target_lake)
    assert await assert_lake_is_right(connection, target_lake) == 61
    await connection.close()
    await restored.close()


async def test_hours_that_only_the_lake_has_come_back(
    database, sql, lake, target_lake, make_backup, restore, target_url
):
    await insert(database, some_rows())
    await export_all(database, lake)
    await sql.execute("SELECT drop_days_before(current_date)")
    assert await sql.fetchval("SELECT count(*) FROM logs") == 0
    await restore(await make_backup(lake), target_lake)
    kept = {name: file for name, file in read_lake(lake).items() if name.endswith("parquet")}
    assert len(kept) == 20
    assert kept == read_lake(target_lake)


async def test_a_file_that_is_lost_is_written_again(
    database, sql, lake, target_lake, make_backup, restore, target_url
):
    await insert(database, some_rows())
    await export_all(database, lake)
    some_file(lake).unlink()
    some_file(lake).write_bytes(b"damaged")
    await restore(await make_backup(lake), target_lake)
    restored = Database(StorageSettings(database_url=target_url))
    connection = await asyncpg.connect(target_url)
    await export_all(restored, target_lake)
    assert await assert_lake_is_right(connection, target_lake) == 60
    await connection.close()
    await restored.close()


async def test_what_the_lake_has_lost_for_good_is_said(database, database_url, sql, lake, folder):
    await insert(database, some_rows())
    await export_all(database, lake)
    await sql.execute("SELECT drop_days_before(current_date)")
    some_file(lake).unlink()
    settings = StorageSettings(database_url=database_url)
    made = await create_backup(settings, lake.open_store(), folder, silent)
    assert len(made.damaged_lake_files) == 1


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


async def test_a_full_disk_leaves_nothing(database, make_backup, folder, monkeypatch):
    await insert(database, some_rows())

    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr("stack.backup.archive.pa.output_stream", lambda *_, **__: Full())
    with pytest.raises(BackupError, match="No space left"):
        await make_backup()
    assert [path.name for path in folder.iterdir()] == [".lock"]


async def test_backups_of_a_folder_are_made_one_at_a_time(folder):
    with new_archive(folder, START), pytest.raises(BackupError, match="another backup"):  # noqa: SIM117 - in order
        with new_archive(folder, START):
            pass


async def test_the_oldest_backups_go_and_parts_are_none(make_backup, folder):
    for day in range(1, 5):
        (folder / f"llm-observe-2026010{day}T021700Z").mkdir(parents=True)
        (folder / f"llm-observe-2026010{day}T021700Z/manifest.json").touch()
    (folder / "llm-observe-20260105T021700Z.part").mkdir()
    (folder / "llm-observe-20260106T021700Z").mkdir()  # its removal was interrupted
    (folder / "notes.txt").touch()
    path = await make_backup()
    gone = remove_old(folder, 3)
    assert [old.name for old in gone] == ["llm-observe-20260101T021700Z", "llm-observe-20260102T021700Z"]
    assert not any(old.exists() for old in gone)
    assert list_archives(folder)[-1] == path
    assert len(list_archives(folder)) == 3
    assert not list(folder.glob("*.part"))
    assert (folder / "notes.txt").exists()


async def test_only_its_owner_can_read_a_backup(database, make_backup):
    """It holds hashes of keys, and secrets of alert channels."""
    path = await make_backup()
    assert path.stat().st_mode & 0o077 == 0


# -- kill -9 ---------------------------------------------------------------------------------------------

DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from importlib import import_module
from analytics.lake.settings import LakeSettings
from storage.settings import StorageSettings

what, where, url, lake, folder = sys.argv[1:]
module, _, path = where.partition(":")
*outer, last = path.split(".")
holder = import_module(module)
for name in outer:
    holder = getattr(holder, name)
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(holder, last, die)
from stack.backup.create import create_backup
from stack.backup.restore import restore_backup
run = create_backup if what == "backup" else restore_backup
store = LakeSettings(url=lake).open_store()
asyncio.run(run(StorageSettings(database_url=url), store, Path(folder), lambda *_: None))
"""


def die_at(what: str, where: str, url: str, lake: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIES, what, where, url, lake, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


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
    await asyncio.to_thread(die_at, "backup", where, database_url, lake.url, folder)
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
    await asyncio.to_thread(die_at, "restore", where, target_url, target_lake.url, path)
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

"""Backups are of one instant, hold everything, and come back whole."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from contextlib import suppress
from datetime import timedelta

import asyncpg
import pytest

import storage.backups
import storage.migrate
from analytics.checks import verify_rollups
from stack.backup.archive import BackupError, list_archives, new_archive, read_manifest, remove_old
from stack.backup.create import create_backup
from storage.backups import read_snapshot
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.backups import STRANGE, silent, some_file, some_rows
from tests.support.databases import digest_tables
from tests.support.lake import START, assert_lake_is_right, export_all, read_lake, row_at
from tests.support.packing import insert, upsert
from tests.support.rollups import assert_rollups_are_right, merge_all

LATER = START + timedelta(days=1)
UNCOMPARED = {"schema_migrations", "lake_hours"}
"""When a migration was applied; and what is to be written again."""


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


@pytest.mark.parametrize(
    "name", ["statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"]
)
async def test_a_backup_takes_as_long_as_it_needs(database, database_url, sql, name):
    database_name = await sql.fetchval("SELECT current_database()")
    await sql.execute(f"ALTER DATABASE {database_name} SET {name} = '1h'")
    async with read_snapshot(StorageSettings(database_url=database_url)) as snapshot:
        assert await snapshot._connection.fetchval(f"SHOW {name}") == "0"

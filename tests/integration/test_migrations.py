"""Migrations beside traffic: they block nobody behind a lock, and go on where a killed one stopped.

Nothing here waits for a time to pass but Postgres' own lock_timeout: locks are held and released by what the
runner reports.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import date, timedelta

import asyncpg
import pytest

import storage.migrate
from storage.migrate import MigrationError, migrate
from storage.settings import StorageSettings
from tests.support.waiting import eventually

CONCURRENTLY = "-- migrate: concurrently\n"
INDEX = (
    f"{CONCURRENTLY}CREATE INDEX CONCURRENTLY logs_by_release ON logs (project_id, release)"
    " WHERE release <> '';"
)
DAY = date(2026, 1, 5)


@pytest.fixture
def add_migration(tmp_path, monkeypatch):
    """Adds a file after those of the release."""
    for path in storage.migrate._FOLDER.glob("*.sql"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(storage.migrate, "_FOLDER", tmp_path)

    def add(text: str, name: str = "9000_added") -> None:
        (tmp_path / f"{name}.sql").write_text(text)

    return add


@pytest.fixture
def settings(database_url):
    return StorageSettings(database_url=database_url)


@asynccontextmanager
async def open_transaction(database_url: str, statement: str):
    """A connection whose transaction holds the locks of a statement until it is left."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(statement)
    try:
        yield transaction
    finally:
        connection.terminate()


async def insert_keys(sql: asyncpg.Connection) -> None:
    """Write as a worker does, unless something is in the way."""
    await sql.execute("SET lock_timeout = '10ms'")
    await sql.execute("INSERT INTO log_keys VALUES (gen_random_uuid(), 'default', now(), now())")
    await sql.execute("INSERT INTO logs_default (SELECT * FROM logs LIMIT 0)")


LOCKED_OUT = [
    ("SELECT count(*) FROM logs", "ALTER TABLE logs ADD COLUMN added text"),
    ("LOCK TABLE log_keys IN ROW EXCLUSIVE MODE", "CREATE INDEX added ON log_keys (receive_time)"),
]


@pytest.mark.parametrize(("held", "migration"), LOCKED_OUT, ids=["long-read", "writer"])
async def test_writers_do_not_queue_behind_a_migration_that_waits(
    settings, database_url, sql, add_migration, held, migration
):
    """Between its attempts it holds nothing and waits for nothing."""
    add_migration(migration)
    reported: list[str] = []
    pauses: list[float] = []
    async with open_transaction(database_url, held) as blocker:

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            await insert_keys(sql)
            if len(pauses) == 3:
                await blocker.rollback()

        assert await migrate(settings, report=reported.append, pause=pause) == ["9000_added"]
    assert pauses == [0.5, 1.0, 2.0]
    assert reported[-1] == "migration 9000_added waits for a lock (attempt 3 of 60)"


async def test_a_migration_that_never_gets_its_lock_changes_nothing(
    settings, database_url, sql, add_migration, monkeypatch
):
    monkeypatch.setattr(storage.migrate, "_LOCK_ATTEMPTS", 3)
    monkeypatch.setattr(storage.migrate, "_LOCK_TIMEOUT", "1ms")
    add_migration("CREATE TABLE first (); ALTER TABLE logs ADD COLUMN added text")
    pauses = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with open_transaction(database_url, "SELECT count(*) FROM logs"):
        with pytest.raises(MigrationError, match="cannot lock its tables"):
            await migrate(settings, pause=pause)
    assert len(pauses) == 3
    assert await sql.fetchval("SELECT to_regclass('first')") is None
    assert await migrate(settings) == ["9000_added"]


async def test_the_pauses_grow_to_a_bound(settings, database_url, add_migration, monkeypatch):
    monkeypatch.setattr(storage.migrate, "_LOCK_TIMEOUT", "1ms")
    add_migration("ALTER TABLE logs ADD COLUMN added text")
    pauses = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with open_transaction(database_url, "SELECT count(*) FROM logs"):
        with pytest.raises(MigrationError):
            await migrate(settings, pause=pause)
    assert pauses[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    assert max(pauses) == 10.0
    assert sum(pauses) < 600


async def test_a_second_runner_waits_outside_postgres(settings, sql, add_migration):
    """A snapshot that it held would keep an index from being finished."""
    await sql.execute("SELECT pg_advisory_lock($1)", storage.migrate._LOCK)
    add_migration("CREATE TABLE added ()")
    others = []

    async def pause(_seconds: float) -> None:
        others.append(
            await sql.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND (state <> 'idle' OR backend_xmin IS NOT NULL)"
            )
        )
        if len(others) == 3:
            await sql.execute("SELECT pg_advisory_unlock($1)", storage.migrate._LOCK)

    assert await migrate(settings, pause=pause) == ["9000_added"]
    assert others == [0, 0, 0]


async def parts_of(sql, name: str) -> dict[str, bool]:
    """The partitions that have their part of an index, and whether it is valid."""
    rows = await sql.fetch(
        "SELECT part.indrelid::regclass::text AS partition, part.indisvalid AS is_valid FROM pg_inherits"
        " JOIN pg_index AS part ON part.indexrelid = inhrelid WHERE inhparent = $1::text::regclass",
        name,
    )
    return {row["partition"]: row["is_valid"] for row in rows}


async def partitions_of(sql, table: str) -> set[str]:
    rows = await sql.fetch(
        "SELECT relid::text AS name FROM pg_partition_tree($1::text::regclass) WHERE isleaf", table
    )
    return {row["name"] for row in rows}


async def assert_whole(sql, name: str) -> None:
    assert await parts_of(sql, name) == dict.fromkeys(await partitions_of(sql, "logs"), True)
    assert await sql.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = $1::text::regclass", name)


async def test_an_index_is_built_on_every_partition(settings, sql, add_migration):
    add_migration(INDEX)
    assert await migrate(settings) == ["9000_added"]
    await assert_whole(sql, "logs_by_release")
    assert await migrate(settings) == []
    # Partitions to come have it, too.
    await sql.execute("SELECT make_day_partitions($1)", DAY)
    await assert_whole(sql, "logs_by_release")


async def test_a_table_without_partitions_may_have_one(settings, sql, add_migration):
    add_migration(f"{CONCURRENTLY}CREATE UNIQUE INDEX CONCURRENTLY keys_by_hash ON api_keys (secret_sha256);")
    await migrate(settings)
    assert await sql.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'keys_by_hash'::regclass")


async def _leave_nothing(_sql) -> None:
    pass


async def _leave_the_parent(sql) -> None:
    await sql.execute("CREATE INDEX logs_by_release ON ONLY logs (project_id, release) WHERE release <> ''")


async def _leave_an_invalid_part(sql) -> None:
    await _leave_the_parent(sql)
    await sql.execute(
        "CREATE INDEX logs_default_logs_by_release ON logs_default (project_id, release) WHERE release <> ''"
    )
    # As a build that was killed leaves it.
    await sql.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'logs_default_logs_by_release'::regclass"
    )


async def _leave_a_part_that_is_not_attached(sql) -> None:
    await _leave_the_parent(sql)
    await sql.execute(
        "CREATE INDEX logs_default_logs_by_release ON logs_default (project_id, release) WHERE release <> ''"
    )


async def _leave_a_part_and_make_partitions(sql) -> None:
    await _leave_a_part_that_is_not_attached(sql)
    await sql.execute("ALTER INDEX logs_by_release ATTACH PARTITION logs_default_logs_by_release")
    await sql.execute("SELECT make_day_partitions($1::date + n) FROM generate_series(0, 2) AS n", DAY)


@pytest.mark.parametrize(
    "leave",
    [
        _leave_nothing,
        _leave_the_parent,
        _leave_an_invalid_part,
        _leave_a_part_that_is_not_attached,
        _leave_a_part_and_make_partitions,
    ],
)
async def test_what_a_killed_build_left_is_finished(settings, sql, add_migration, leave):
    await leave(sql)
    add_migration(INDEX)
    assert await migrate(settings) == ["9000_added"]
    await assert_whole(sql, "logs_by_release")


async def test_a_migration_that_is_killed_halfway_is_finished_by_the_next(
    settings, database_url, sql, add_migration, tmp_path
):
    """A transaction that was open before keeps the build waiting, unnoticed by writers; then SIGKILL."""
    add_migration(INDEX)
    command = (
        "import asyncio, pathlib, sys; import storage.migrate as m;"
        "from storage.settings import StorageSettings;"
        "m._FOLDER = pathlib.Path(sys.argv[1]);"
        "asyncio.run(m.migrate(StorageSettings(database_url=sys.argv[2])))"
    )
    building = (
        "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database()"
        " AND phase LIKE 'waiting%'"
    )
    async with open_transaction(database_url, "INSERT INTO logs_default (SELECT * FROM logs LIMIT 0)"):
        running = subprocess.Popen([sys.executable, "-c", command, str(tmp_path), database_url])  # noqa: ASYNC220 - it returns at once
        try:

            async def waits() -> bool:
                return bool(await sql.fetchval(building))

            await eventually(waits)
            await insert_keys(sql)
            running.send_signal(signal.SIGKILL)
        finally:
            running.kill()
            await asyncio.to_thread(running.wait)
    assert await sql.fetchval("SELECT count(*) FROM schema_migrations WHERE name = '9000_added'") == 0
    assert await migrate(settings) == ["9000_added"]
    await assert_whole(sql, "logs_by_release")


async def test_a_partition_that_retention_drops_meanwhile_is_left_out(
    settings, sql, add_migration, monkeypatch
):
    await sql.execute("SELECT make_day_partitions($1::date + n) FROM generate_series(0, 1) AS n", DAY)
    add_migration(INDEX)
    build_part = storage.concurrent_indexes._build_part
    dropped: list[int] = []

    async def build_after_retention(connection, index, *, name, table):
        if not dropped and table != "logs_default":
            dropped.append(await sql.fetchval("SELECT drop_days_before($1)", DAY + timedelta(days=2)))
        await build_part(connection, index, name=name, table=table)

    monkeypatch.setattr(storage.concurrent_indexes, "_build_part", build_after_retention)
    await migrate(settings)
    assert dropped == [2]
    await assert_whole(sql, "logs_by_release")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX logs_a ON logs (release)",
        "ALTER TABLE logs ADD COLUMN a text",
        "CREATE INDEX CONCURRENTLY ON logs (release)",
        f"CREATE INDEX CONCURRENTLY {'a' * 60} ON logs (release)",
        "DROP INDEX CONCURRENTLY logs_by_trace",
    ],
)
async def test_what_cannot_be_built_concurrently_is_refused(settings, sql, add_migration, statement):
    add_migration(f"{CONCURRENTLY}{statement};")
    with pytest.raises(MigrationError, match="9000_added"):
        await migrate(settings)
    assert await sql.fetchval("SELECT count(*) FROM schema_migrations WHERE name = '9000_added'") == 0

"""Upgrades from the schema of each earlier migration, with data and traffic: every count stays exact."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from analytics.checks import verify_rollups
from codec.rows import to_row
from storage.migrate import list_migrations, migrate
from storage.partitions import ensure_partitions
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.databases import empty_database
from tests.support.logs import make_log
from tests.support.old_schemas import make_writer
from tests.support.packing import insert
from tests.support.prices import BOOK
from tests.support.rollups import COUNT_REQUESTS, assert_rollups_are_right

NAMES = [migration.name for migration in list_migrations()]
NOW = datetime.now(UTC)
SCHEMA_CHANGED = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.InvalidCachedStatementError,
)


@pytest.fixture
async def old_url(database_url):
    async with empty_database(database_url) as url:
        yield url


class OldWorker:
    """A worker of an earlier release: it stores batch after batch until the schema is no longer its own."""

    def __init__(self, connection: asyncpg.Connection, statement: str) -> None:
        self._connection = connection
        self._statement = statement
        self.stop = asyncio.Event()
        self.works = asyncio.Event()
        self.stored = 0

    async def run(self) -> None:
        try:
            while not self.stop.is_set():
                with suppress(asyncpg.DeadlockDetectedError):  # it tries again
                    await self.store(7)
                    self.works.set()
        except SCHEMA_CHANGED:
            return  # it waits then, and its logs stay in the queue

    async def store(self, count: int) -> None:
        await self._connection.execute(self._statement, count)
        self.stored += count


async def fill(connection: asyncpg.Connection) -> None:
    """What people and workers of the first release made beside logs."""
    await connection.execute("SELECT make_day_partitions(current_date - n) FROM generate_series(0, 1) AS n")
    await connection.execute(
        "WITH made AS ("
        " INSERT INTO conversations (project_id, session_id) VALUES ('default', 's') RETURNING *)"
        " INSERT INTO messages (project_id, conversation_id, role, content)"
        " SELECT project_id, conversation_id, 'user', 'hello' FROM made"
    )
    await connection.execute(
        "INSERT INTO dead_letters (project_id, reason, message, log_count, attempt_count, first_attempt_time,"
        " payload, dedup_key) VALUES ('default', 'refused', '', 1, 3, now(), '{}', 'k')"
    )


@pytest.mark.parametrize("name", NAMES[:-1])
async def test_an_upgrade_loses_and_doubles_nothing(old_url, name):
    settings = StorageSettings(database_url=old_url)
    earlier = NAMES[: NAMES.index(name) + 1]
    assert await migrate(settings, only=earlier) == earlier
    connection = await asyncpg.connect(old_url)
    await fill(connection)
    worker = OldWorker(connection, await make_writer(connection))
    await worker.store(150)

    working = asyncio.create_task(worker.run())
    await worker.works.wait()
    assert await migrate(settings) == NAMES[len(earlier) :]
    worker.stop.set()
    await working

    database = Database(settings)
    assert await verify_rollups(database) == []
    await ensure_partitions(database, NOW.date())
    rows = [
        to_row(make_log(), project_id="default", receive_time=NOW, prices=BOOK)._replace(
            start_time=NOW - timedelta(hours=number)
        )
        for number in range(30)
    ]
    await insert(database, rows)
    await assert_rollups_are_right(database)
    expected = worker.stored + 30
    assert await connection.fetchval("SELECT count(*) FROM logs") == expected
    assert await connection.fetchval("SELECT count(*) FROM log_keys") == expected
    assert await connection.fetchval(COUNT_REQUESTS) == expected
    for table in ("conversations", "messages", "dead_letters"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 1
    await connection.close()
    await database.close()

"""A worker whose migration has not run yet waits, and dead-letters nothing."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

import storage
from codec.batch import AcceptedBatch
from storage.errors import SchemaMismatch
from storage.logs import count_logs
from storage.migrate import check_schema, migrate
from storage.settings import StorageSettings
from tests.support.logs import make_log
from tests.support.processes import start_worker, stop
from tests.support.waiting import eventually
from worker.queue.broker import LogBroker
from worker.queue.log_queue import LogQueue, queue_stats

pytestmark = pytest.mark.chaos

LATEST = max(path.stem for path in (Path(storage.__file__).parent / "migrations").glob("*.sql"))


@pytest.fixture
async def broker(queue_settings):
    opened = LogBroker(queue_settings)
    yield opened
    await opened.shutdown()


@pytest.fixture
async def raw(database_url):
    """A connection for what an operator would do."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def queue_logs(broker, batches: int) -> None:
    queue = LogQueue(broker)
    for _ in range(batches):
        request = IngestLogsRequest(logs=[make_log() for _ in range(5)])
        await queue.put(AcceptedBatch(request.SerializeToString(), "default", 1_000_000, 5, 0))


async def assert_stored_exactly(database, broker, raw, count: int) -> None:
    async def all_there():
        stored = await count_logs(database, project_id="default")
        return stored >= count and (await queue_stats(broker)).depth == 0

    await eventually(all_there)
    assert await count_logs(database, project_id="default") == count
    assert await raw.fetchval("SELECT count(*) FROM dead_letters") == 0


async def test_a_worker_waits_for_the_migration_of_its_release(
    database_url, database, broker, raw, queue_settings, tmp_path
):
    await raw.execute("DELETE FROM schema_migrations WHERE name = $1", LATEST)
    with pytest.raises(SchemaMismatch, match=LATEST):
        await check_schema(database)
    await queue_logs(broker, 4)
    worker = start_worker(database_url, queue_settings, tmp_path)
    log = tmp_path / "worker.log"
    try:
        await eventually(lambda: "llm-observe migrate" in log.read_text())
        assert log.read_text().count("llm-observe migrate") == 1
        assert (await queue_stats(broker)).pending == 0
        digest = await raw.fetchval("SELECT sha256 FROM schema_migrations LIMIT 1")
        await raw.execute("INSERT INTO schema_migrations VALUES ($1, $2)", LATEST, digest)
        await assert_stored_exactly(database, broker, raw, 20)
    finally:
        stop(worker)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("ALTER TABLE logs RENAME COLUMN tags TO labels", "ALTER TABLE logs RENAME COLUMN labels TO tags"),
        (
            "ALTER TABLE rollup_deltas RENAME TO sums",
            "ALTER TABLE sums RENAME TO rollup_deltas",
        ),
        ("ALTER TABLE log_keys RENAME TO keys_of_logs", "ALTER TABLE keys_of_logs RENAME TO log_keys"),
    ],
    ids=["column", "rollups", "keys"],
)
async def test_logs_wait_while_a_table_or_column_is_missing(
    database_url, database, broker, raw, queue_settings, tmp_path, older, newer
):
    settings = queue_settings.model_copy(update={"max_attempts": 2})
    worker = start_worker(database_url, settings, tmp_path)
    try:
        await queue_logs(broker, 1)
        await assert_stored_exactly(database, broker, raw, 5)
        await raw.execute(older)
        await queue_logs(broker, 3)
        # As many outages as a batch has attempts: an outage uses none.
        log = tmp_path / "worker.log"
        await eventually(lambda: f'"outages": {settings.max_attempts}' in log.read_text())
        await raw.execute(newer)
        await assert_stored_exactly(database, broker, raw, 20)
    finally:
        stop(worker)


async def test_a_worker_runs_on_a_newer_schema(database_url, database, broker, raw, queue_settings, tmp_path):
    await raw.execute("INSERT INTO schema_migrations VALUES ('9999_future', 'x')")
    await raw.execute("ALTER TABLE logs ADD COLUMN of_the_future text DEFAULT 'x'")
    await queue_logs(broker, 2)
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:
        await assert_stored_exactly(database, broker, raw, 10)
    finally:
        stop(worker)
    assert await migrate(StorageSettings(database_url=database_url)) == []

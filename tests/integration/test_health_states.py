"""Health tells what is wrong with real stores, whatever is done to them."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from types import SimpleNamespace

import grpc
import pytest
from llm_observe.v1.health_service_pb2 import HEALTH_STATE_DEGRADED, HEALTH_STATE_UNHEALTHY, CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from codec.batch import AcceptedBatch
from server.admin import health
from tests.support.rpc import stub
from tests.support.server import running_server
from tests.support.waiting import eventually
from worker.queue.backlog import Backlog
from worker.queue.broker import LogBroker
from worker.queue.log_queue import LogQueue, QueueFull
from worker.queue.redis_health import SYNCED_KEY
from worker.queue.stream import Attempts, LogStream

_OLD_MS = 1_000_000_000_000


@asynccontextmanager
async def altered_database(sql, change: str, undo: str):
    """Change the database of the test, also for those who are connected to it."""
    name = await sql.fetchval("SELECT current_database()")
    await sql.execute(change.format(name=name))
    await sql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = $1 AND pid <> pg_backend_pid()",
        name,
    )
    try:
        yield
    finally:
        await sql.execute("SET default_transaction_read_only = off")
        await sql.execute(undo.format(name=name))


@asynccontextmanager
async def configured(redis, **settings: str):
    """Change settings of the Redis that all tests share."""
    before = {name: (await redis.config_get(name))[name] for name in settings}
    for name, value in settings.items():
        await redis.config_set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            await redis.config_set(name, value)


@pytest.fixture
async def broker(queue_settings):
    opened = LogBroker(queue_settings)
    await opened.stream.join("worker", liveness_s=60)  # one that is alive
    yield opened
    await opened.shutdown()


async def problems(channel) -> dict[str, int]:
    """Return the kinds of problems, and their states."""
    found = await stub(HealthServiceStub, channel).Check(CheckRequest())
    assert found.state == max((problem.state for problem in found.problems), default=found.state)
    assert all(problem.message for problem in found.problems)
    return {problem.kind: problem.state for problem in found.problems}


async def test_a_read_only_database_is_unhealthy(channel, broker, sql):
    assert await problems(channel) == {}
    async with altered_database(
        sql,
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
        "ALTER DATABASE {name} RESET default_transaction_read_only",
    ):

        async def read_only():
            return await problems(channel) == {"postgres_read_only": HEALTH_STATE_UNHEALTHY}

        await eventually(read_only)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (
            "UPDATE schema_migrations SET name = 'x' || name",
            "UPDATE schema_migrations SET name = substr(name, 2)",
        ),
        ("ALTER TABLE overflow_hours RENAME TO x", "ALTER TABLE x RENAME TO overflow_hours"),
    ],
)
async def test_an_old_schema_is_unhealthy(channel, broker, sql, older, newer):
    await sql.execute(older)
    assert await problems(channel) == {"postgres_old_schema": HEALTH_STATE_UNHEALTHY}
    await sql.execute(newer)
    assert await problems(channel) == {}


SETTINGS = {"redis_evicts": {"maxmemory-policy": "allkeys-lru"}, "redis_not_durable": {"appendonly": "no"}}


@pytest.mark.parametrize("kind", SETTINGS)
async def test_a_redis_that_may_lose_logs_is_degraded(channel, broker, kind):
    async with configured(broker.redis, **SETTINGS[kind]):
        assert await problems(channel) == {kind: HEALTH_STATE_DEGRADED}


@pytest.mark.parametrize("policy", ["no", "everysec", "always"])
async def test_a_redis_that_syncs_late_is_degraded(channel, broker, policy):
    await broker.redis.delete(SYNCED_KEY)
    try:
        async with configured(broker.redis, appendfsync=policy):
            expected = {} if policy == "always" else {"redis_syncs_late": HEALTH_STATE_DEGRADED}
            assert await problems(channel) == expected
    finally:
        await broker.redis.set(SYNCED_KEY, "1")


async def test_a_redis_that_refuses_writes_is_unhealthy(channel, broker):
    async with configured(broker.redis, **{"min-replicas-to-write": "1"}):
        assert await problems(channel) == {"redis_refuses": HEALTH_STATE_UNHEALTHY}
    async with configured(broker.redis, maxmemory="1"):
        found = await problems(channel)
        assert found["redis_refuses"] == HEALTH_STATE_UNHEALTHY
        assert found["redis_full"] == HEALTH_STATE_DEGRADED


async def test_a_full_queue_refuses_batches_until_it_is_drained(broker):
    now_s = 1000.0
    backlog = Backlog(broker, max_bytes=100_000, clock=lambda: now_s)
    queue = LogQueue(broker, backlog)
    batch = AcceptedBatch(bytes(200_000), "default", 1, 1, 0)
    await backlog.look()
    await queue.put(batch)
    await backlog.look()
    with pytest.raises(QueueFull):
        await queue.put(batch)
    (entry,) = await broker.stream.fetch("worker")
    await broker.stream.settle(entry.entry_id)
    await backlog.look()
    await queue.put(batch)
    assert not backlog.is_full
    assert backlog.was_full_lately
    now_s += 60
    assert not backlog.was_full_lately


async def test_a_queue_is_full_before_redis_is(broker):
    backlog = Backlog(broker, max_bytes=1 << 30)
    used = (await broker.redis.info("memory"))["used_memory"]
    async with configured(broker.redis, maxmemory=str(used * 10 // 9)):
        await backlog.look()
    assert backlog.is_full


@pytest.mark.parametrize("is_delayed", [False, True])
async def test_an_old_batch_is_late_also_while_it_waits_for_a_retry(channel, broker, is_delayed):
    entry_id = await broker.redis.xadd(broker.queue_name, {"data": b"x"}, id=f"{_OLD_MS}-0")
    if is_delayed:
        await broker.stream.fetch("worker")
        await broker.stream.delay(entry_id, 3600, Attempts(outages=7))
    assert await problems(channel) == {"late_batches": HEALTH_STATE_DEGRADED}


async def test_what_workers_wait_for_is_told(channel, broker):
    await broker.stream.beat("worker", 60, "the database is unavailable: DiskFullError 53100")
    assert await problems(channel) == {"worker_waits": HEALTH_STATE_DEGRADED}


async def test_a_worker_that_is_gone_is_missed(channel, queue_settings):
    stream = LogStream(queue_settings)
    await stream.join("worker", liveness_s=60)
    assert await problems(channel) == {}
    await stream.leave("worker", [])
    assert await problems(channel) == {"no_worker": HEALTH_STATE_DEGRADED}
    await stream.close()


async def test_dead_letters_are_told(channel, broker, sql):
    await sql.execute(
        "INSERT INTO dead_letters (project_id, reason, message, log_id, log_count, attempt_count,"
        " first_attempt_time, payload, producer_id, dedup_key)"
        " VALUES ('default', 'refused', '', '', 1, 1, now(), '{}', '', 'x')"
    )
    assert await problems(channel) == {"dead_letters": HEALTH_STATE_DEGRADED}


async def test_a_clock_that_is_wrong_is_told_and_not_used(channel, broker, monkeypatch):
    behind = SimpleNamespace(time=lambda: time.time() - 3600, perf_counter=time.perf_counter)
    monkeypatch.setattr("worker.queue.redis_health.time", behind)
    assert await problems(channel) == {"clock_skew": HEALTH_STATE_DEGRADED}


async def test_a_redis_that_tells_little_is_no_problem(channel, broker, monkeypatch):
    async def refuse(*_):
        raise NoPermissionError("NOPERM this user has no permissions to run the command")

    for command in ("info", "config_get", "time"):
        monkeypatch.setattr(Redis, command, refuse)
    assert await problems(channel) == {}


async def test_a_disk_that_is_nearly_full_is_told(
    database_url, queue_settings, broker, tmp_path, monkeypatch
):
    def disk_usage(folder: str) -> SimpleNamespace:
        if folder != str(tmp_path):
            raise FileNotFoundError
        return SimpleNamespace(free=100_000_000)

    monkeypatch.setattr(health, "shutil", SimpleNamespace(disk_usage=disk_usage))
    async with (
        running_server(
            database_url, queue_settings, watched_folders=f"{tmp_path}, /no/such/folder"
        ) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as own,
    ):
        assert await problems(own) == {"disk_full": HEALTH_STATE_UNHEALTHY}

"""Kills of workers, Redis and database sessions lose no log, and every count stays exact."""

from __future__ import annotations

import asyncio
import random

import grpc
import pytest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from taskiq.kicker import AsyncKicker

from tests.support.load import Load
from tests.support.logs import make_log, make_request
from tests.support.processes import start_worker, stop
from tests.support.rollups import COUNT_REQUESTS, assert_rollups_are_right
from tests.support.rpc import RPC_TIMEOUT_S, stub
from tests.support.waiting import eventually
from worker.queue.broker import LogBroker
from worker.queue.log_queue import WRITE_LOGS, QueueStats, queue_stats
from worker.queue.stream import GROUP

pytestmark = pytest.mark.chaos


@pytest.fixture
async def broker(queue_settings):
    opened = LogBroker(queue_settings)
    yield opened
    await opened.shutdown()


async def send(channel, count: int, batch: int) -> None:
    """Send logs in batches and retry while the server is unavailable, as the SDK does."""
    ingest = stub(IngestServiceStub, channel)
    for _ in range(count // batch):
        request = make_request(*(make_log(model=f"m{n % 5}") for n in range(batch)))
        while True:
            try:
                await ingest.IngestLogs(request, timeout=RPC_TIMEOUT_S)
                break
            except grpc.aio.AioRpcError as error:
                assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
                await asyncio.sleep(0.1)


async def count_rows(sql) -> int:
    return int(await sql.fetchval("SELECT count(*) FROM logs"))


async def wait_until_stored(sql, count: int) -> None:
    """Wait until at least ``count`` logs are stored."""

    async def enough():
        return await count_rows(sql) >= count

    await eventually(enough)


async def assert_all_stored(database, sql, broker, count: int) -> None:
    await wait_until_stored(sql, count)

    async def empty():
        stats: QueueStats = await queue_stats(broker)
        return stats.depth == 0

    await eventually(empty)
    assert await count_rows(sql) == count
    await assert_rollups_are_right(database)
    assert await sql.fetchval("SELECT count(*) FROM dead_letters") == 0
    assert await sql.fetchval(COUNT_REQUESTS) == count


async def test_15_worker_kills_during_5000_logs_lose_none(
    channel, database, sql, broker, database_url, queue_settings, tmp_path
):
    chance = random.Random(11)
    for number in range(15):
        target = await count_rows(sql) + chance.randrange(1, 300)
        worker = start_worker(database_url, queue_settings, tmp_path, f"worker-{number}")
        sending = asyncio.create_task(send(channel, 300, 20))
        await wait_until_stored(sql, target)
        worker.kill()
        worker.wait()
        await sending
    await send(channel, 500, 20)
    worker = start_worker(database_url, queue_settings, tmp_path, "last")
    try:
        await assert_all_stored(database, sql, broker, 5000)

        async def only_one_consumer():
            return len(await broker.redis.xinfo_consumers(broker.queue_name, GROUP)) == 1

        await eventually(only_one_consumer)
    finally:
        stop(worker)


async def test_a_redis_kill_loses_no_queued_logs(
    stores, channel, database, sql, broker, database_url, queue_settings, tmp_path
):
    await send(channel, 1000, 50)
    stores.kill("valkey")
    stores.restart("valkey")
    await stores.valkey.wait_ready()
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:
        await assert_all_stored(database, sql, broker, 1000)
    finally:
        stop(worker)


async def test_worker_and_server_survive_redis_restarts_under_load(
    stores, server, database, sql, broker, database_url, queue_settings, tmp_path
):
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:
        async with Load(server.port).running() as load:
            for _ in range(3):
                await load.wait_for_logs(500)
                stores.kill("valkey")
                await load.wait_for_refusal()
                stores.restart("valkey")
                await stores.valkey.wait_ready()
            await load.wait_for_logs(500)
        await assert_all_stored(database, sql, broker, load.accepted)
        assert worker.is_running()
    finally:
        stop(worker)


async def test_terminated_postgres_sessions_lose_no_logs(
    server, database, sql, broker, database_url, queue_settings, tmp_path
):
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:
        async with Load(server.port).running() as load:
            for _ in range(5):
                await wait_until_stored(sql, await count_rows(sql) + 200)
                await sql.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        await assert_all_stored(database, sql, broker, load.accepted)
    finally:
        stop(worker)


async def test_a_killed_workers_batches_are_reclaimed_on_an_idle_queue(
    channel, database, sql, broker, database_url, queue_settings, tmp_path
):
    # A consumer has taken a batch and died, and no new message will wake the worker.
    await broker.redis.xgroup_create(broker.queue_name, GROUP, id="0", mkstream=True)
    await send(channel, 40, 20)
    taken = await broker.redis.xreadgroup(GROUP, "dead-worker", {broker.queue_name: ">"}, count=10)
    assert len(taken[0][1]) == 2
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:
        await assert_all_stored(database, sql, broker, 40)
    finally:
        stop(worker)


async def test_a_worker_stopped_during_work_hands_back_its_batches(
    channel, database, sql, broker, database_url, queue_settings, tmp_path
):
    await send(channel, 2000, 20)
    first = start_worker(database_url, queue_settings, tmp_path, "first")
    await wait_until_stored(sql, 1)
    stop(first)
    second = start_worker(database_url, queue_settings, tmp_path, "second")
    try:
        await assert_all_stored(database, sql, broker, 2000)
    finally:
        stop(second)


async def dead_letters(sql):
    return await sql.fetch("SELECT * FROM dead_letters ORDER BY reason")


async def test_unparsable_and_unknown_messages_become_dead_letters(
    channel, database, sql, broker, database_url, queue_settings, tmp_path
):
    await broker.redis.xadd(broker.queue_name, {"data": b"\xff\xfe not json, bob@example.com"})
    await broker.redis.xadd(broker.queue_name, {"other": b"field"})
    await AsyncKicker("no_such_task", broker, {}).kiq()
    wrong: AsyncKicker[..., None] = AsyncKicker(WRITE_LOGS, broker, {})
    await wrong.kiq(batches=[(b"!", "default", 1, 1, 0)])
    await send(channel, 20, 20)
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:

        async def all_there():
            return len(await dead_letters(sql)) == 4

        await eventually(all_there)
    finally:
        stop(worker)
    assert await count_rows(sql) == 20
    assert "bob@" not in str([dict(row) for row in await dead_letters(sql)])
    assert await broker.redis.xlen(broker.queue_name) == 0


async def test_a_batch_that_kills_its_worker_is_dead_lettered_after_three_runs(
    channel, database, sql, broker, database_url, queue_settings, tmp_path
):
    await send(channel, 60, 20)
    neighbours = [make_log() for _ in range(3)]
    poison = make_request(*neighbours[:2], make_log(model="kills"), neighbours[2])
    await stub(IngestServiceStub, channel).IngestLogs(poison)
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "from codec import reader\n"
        "original = reader.read_batch\n"
        "def read_batch(*args):\n"
        "    batch = original(*args)\n"
        "    if any(log.message().model == 'kills' for log in batch.logs):\n"
        "        open(os.environ['RUNS'], 'a').write('x')\n"
        "        os.kill(os.getpid(), 9)\n"
        "    return batch\n"
        "reader.read_batch = read_batch\n"
    )
    runs = tmp_path / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        patch.setenv("RUNS", str(runs))
        while not await dead_letters(sql):
            worker = start_worker(database_url, queue_settings, tmp_path)
            while worker.is_running() and worker.status() != "zombie" and not await dead_letters(sql):
                await asyncio.sleep(0.1)
            stop(worker)
    letter = (await dead_letters(sql))[0]
    assert (letter["reason"], letter["attempt_count"], letter["log_count"]) == ("killed_worker", 3, 1)
    # Once among others, once isolated; then the batch is split, and its log runs three times.
    assert runs.read_text() == "xxxxx"
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:

        async def neighbours_stored():
            return await count_rows(sql) == 63

        await eventually(neighbours_stored)
    finally:
        stop(worker)
    assert len(await dead_letters(sql)) == 1


async def test_a_message_that_moves_between_stream_and_retries_is_always_counted(broker):
    """It moves from the stream to the delayed retries and back; the queue is never empty."""
    moving = True

    async def move():
        entry = await broker.redis.xadd(broker.queue_name, {"data": b"x"})
        while moving:
            async with broker.redis.pipeline(transaction=True) as step:
                await step.xdel(broker.queue_name, entry).zadd(broker.stream.delayed_key, {"x": 1}).execute()
            async with broker.redis.pipeline(transaction=True) as step:
                done = (
                    await step.zrem(broker.stream.delayed_key, "x")
                    .xadd(broker.queue_name, {"data": b"x"})
                    .execute()
                )
            entry = done[1]

    mover = asyncio.create_task(move())
    await asyncio.sleep(0.05)
    depths = [(await queue_stats(broker)).depth for _ in range(300)]
    moving = False
    await mover
    assert set(depths) == {1}

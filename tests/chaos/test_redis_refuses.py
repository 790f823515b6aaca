"""While a real Redis refuses writes or hangs, the worker waits and drains what it can, losing nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import uuid
from functools import partial

import psutil
import pytest
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from codec.batch import AcceptedBatch
from stack import processes
from stack.data_dir import DataDir
from stack.embedded.valkey import EmbeddedValkey
from storage.logs import count_logs
from tests.support.logs import make_log
from tests.support.processes import start_worker, stop
from tests.support.rollups import assert_rollups_are_right
from tests.support.waiting import eventually
from worker.queue.broker import LogBroker
from worker.queue.log_queue import LogQueue, QueueUnavailable, queue_stats
from worker.queue.settings import QueueSettings
from worker.queue.stream import Attempts, LogStream

pytestmark = pytest.mark.chaos


class OwnRedis:
    """A Valkey that the test may bring into any state, and its queue."""

    def __init__(self, valkey: EmbeddedValkey, process) -> None:
        self.process = process
        self.settings = QueueSettings(
            redis_url=valkey.url, queue_name=f"test:{uuid.uuid4().hex}", heartbeat_s=0.3, liveness_s=1.5
        )
        self.client = Redis.from_url(valkey.url)
        self.broker = LogBroker(self.settings)
        self.queue = LogQueue(self.broker)
        self.queued = 0

    async def put(self, logs: int) -> None:
        request = IngestLogsRequest(logs=[make_log() for _ in range(logs)])
        await self.queue.put(AcceptedBatch(request.SerializeToString(), "default", 1_000_000, logs, 0))
        self.queued += logs

    async def close(self) -> None:
        await self.broker.shutdown()
        await self.client.aclose()


@pytest.fixture
async def redis(tmp_path):
    home = DataDir(tmp_path)
    home.logs.mkdir(exist_ok=True)
    valkey = EmbeddedValkey(home, processes.free_port())
    valkey.prepare()
    process = processes.start(valkey.command(), log=home.logs / "valkey.log", env=os.environ)
    await valkey.wait_ready()
    opened = OwnRedis(valkey, process)
    yield opened
    process.send_signal(signal.SIGCONT)
    await opened.close()
    processes.stop(process, signal.SIGTERM, 10)


@pytest.fixture
def worker(redis, database_url, tmp_path):
    started: list[psutil.Process] = []

    def start():
        started.append(start_worker(database_url, redis.settings, tmp_path, f"worker-{len(started)}"))
        return started[-1]

    yield start
    for process in started:
        stop(process)


def worker_log(tmp_path, number: int = 0) -> str:
    return str((tmp_path / f"worker-{number}.log").read_text())


def log_has_reason(tmp_path, number: int, code: str) -> bool:
    return f'"reason": "{code}"' in worker_log(tmp_path, number)


async def assert_stored_exactly(redis, database) -> None:
    async def drained():
        return (await queue_stats(redis.broker)).depth == 0

    await eventually(drained)
    assert await count_logs(database, project_id="default") == redis.queued
    await assert_rollups_are_right(database)
    async with database.connection() as connection:
        assert await connection._raw.fetchval("SELECT count(*) FROM dead_letters") == 0


async def queue_work_of_a_dead_worker(redis) -> None:
    """Queue new messages, messages held by a dead worker, and one that waits for a retry."""
    for _ in range(6):
        await redis.put(5)
    stream = LogStream(redis.settings)
    await stream.join("dead-worker", liveness_s=0.001)
    delayed, *_ = await stream.fetch("dead-worker")
    await stream.delay(delayed.entry_id, 0.1, Attempts(failures=1))
    await stream.close()
    for _ in range(6):
        await redis.put(5)


async def test_a_worker_drains_a_redis_that_is_out_of_memory(redis, worker, database):
    await queue_work_of_a_dead_worker(redis)
    await redis.client.config_set("maxmemory", 1)
    with pytest.raises(QueueUnavailable, match="OOM"):
        await redis.put(1)
    worker()
    await assert_stored_exactly(redis, database)
    await redis.client.config_set("maxmemory", 0)
    await redis.put(5)
    await assert_stored_exactly(redis, database)


async def require_a_replica(redis) -> None:
    await redis.client.config_set("min-replicas-to-write", 1)


async def require_no_replica(redis) -> None:
    await redis.client.config_set("min-replicas-to-write", 0)


async def fail_to_save(redis) -> None:
    """Make a background save fail by removing the folder, so that Valkey refuses writes."""
    await redis.client.config_set("appendonly", "no")
    await redis.client.config_set("save", "3600 1000000")
    shutil.rmtree((await redis.client.config_get("dir"))["dir"])
    await redis.client.bgsave()

    async def failed():
        return (await redis.client.info("persistence"))["rdb_last_bgsave_status"] == "err"

    await eventually(failed)


async def accept_failed_saves(redis) -> None:
    await redis.client.config_set("stop-writes-on-bgsave-error", "no")


async def become_replica(redis) -> None:
    await redis.client.replicaof("127.0.0.1", 1)


async def become_master(redis) -> None:
    await redis.client.replicaof("NO", "ONE")


STATES = {
    "NOREPLICAS": (require_a_replica, require_no_replica),
    "MISCONF": (fail_to_save, accept_failed_saves),
    "READONLY": (become_replica, become_master),
}


@pytest.mark.parametrize("code", STATES)
async def test_a_worker_waits_while_redis_refuses_writes(redis, worker, database, tmp_path, code):
    refuse, cure = STATES[code]
    await queue_work_of_a_dead_worker(redis)
    running = worker()
    await eventually(lambda: "worker ready" in worker_log(tmp_path))
    await refuse(redis)
    with pytest.raises(ResponseError):
        await redis.client.set("probe", 1)
    late = worker()  # starts while Redis refuses writes
    for number in range(2):
        await eventually(partial(log_has_reason, tmp_path, number, code))
    assert running.is_running()
    assert late.is_running()
    await cure(redis)
    await redis.put(5)
    await assert_stored_exactly(redis, database)


async def test_a_worker_waits_while_redis_hangs(redis, worker, database, tmp_path):
    await queue_work_of_a_dead_worker(redis)
    redis.process.send_signal(signal.SIGSTOP)
    worker()
    await eventually(lambda: '"reason": "TimeoutError"' in worker_log(tmp_path))
    redis.process.send_signal(signal.SIGCONT)
    await assert_stored_exactly(redis, database)


async def test_a_worker_stops_in_time_while_redis_hangs(redis, worker, database, tmp_path):
    await redis.put(5)
    running = worker()
    await assert_stored_exactly(redis, database)
    redis.process.send_signal(signal.SIGSTOP)
    await eventually(lambda: '"reason": "TimeoutError"' in worker_log(tmp_path))
    running.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(running.wait, 15) == 0
    assert "worker stopped" in worker_log(tmp_path)

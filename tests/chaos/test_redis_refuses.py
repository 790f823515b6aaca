"""A real Redis that refuses or hangs: the worker waits, and drains what it can; every count is exact."""

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
from worker.queue.stream import LogStream

pytestmark = pytest.mark.chaos


class Machine:
    """A Valkey of this test's own, which it may bring into any state, and its queue."""

    def __init__(self, valkey: EmbeddedValkey, process) -> None:
        self.process = process
        self.settings = QueueSettings(
            redis_url=valkey.url, queue_name=f"test:{uuid.uuid4().hex}", heartbeat_s=0.3, liveness_s=1.5
        )
        self.redis = Redis.from_url(valkey.url)
        self.broker = LogBroker(self.settings)
        self.queue = LogQueue(self.broker)
        self.queued = 0

    async def put(self, logs: int) -> None:
        request = IngestLogsRequest(logs=[make_log() for _ in range(logs)])
        await self.queue.put(AcceptedBatch(request.SerializeToString(), "default", 1_000_000, logs, 0))
        self.queued += logs

    async def close(self) -> None:
        await self.broker.shutdown()
        await self.redis.aclose()


@pytest.fixture
async def machine(tmp_path):
    home = DataDir(tmp_path)
    home.logs.mkdir(exist_ok=True)
    valkey = EmbeddedValkey(home, processes.free_port())
    valkey.prepare()
    process = processes.start(valkey.command(), log=home.logs / "valkey.log", env=os.environ)
    await valkey.wait_ready()
    opened = Machine(valkey, process)
    yield opened
    process.send_signal(signal.SIGCONT)
    await opened.close()
    processes.stop(process, signal.SIGTERM, 10)


@pytest.fixture
def worker(machine, database_url, tmp_path):
    started: list[psutil.Process] = []

    def start():
        started.append(start_worker(database_url, machine.settings, tmp_path, f"worker-{len(started)}"))
        return started[-1]

    yield start
    for process in started:
        stop(process)


def worker_log(tmp_path, number: int = 0) -> str:
    return str((tmp_path / f"worker-{number}.log").read_text())


def log_names(tmp_path, number: int, code: str) -> bool:
    return f'"reason": "{code}"' in worker_log(tmp_path, number)


async def assert_stored_exactly(machine, database) -> None:
    async def drained():
        return (await queue_stats(machine.broker)).depth == 0

    await eventually(drained, 60)
    assert await count_logs(database, project_id="default") == machine.queued
    await assert_rollups_are_right(database)
    async with database.connection() as connection:
        assert await connection._raw.fetchval("SELECT count(*) FROM dead_letters") == 0


async def fill_with_work_of_the_dead(machine) -> None:
    """New messages, ones that a dead worker held, and ones that wait for a retry."""
    for _ in range(6):
        await machine.put(5)
    stream = LogStream(machine.settings)
    await stream.join("the dead", liveness_s=0.001)
    delayed, *_ = await stream.fetch("the dead")
    await stream.delay(delayed.data, 0.1)
    await stream.settle(delayed.entry_id)
    await stream.close()
    for _ in range(6):
        await machine.put(5)


async def test_a_worker_starts_and_drains_a_redis_whose_memory_is_full(machine, worker, database):
    await fill_with_work_of_the_dead(machine)
    await machine.redis.config_set("maxmemory", 1)
    with pytest.raises(QueueUnavailable, match="OOM"):
        await machine.put(1)
    worker()
    await assert_stored_exactly(machine, database)
    await machine.redis.config_set("maxmemory", 0)
    await machine.put(5)
    await assert_stored_exactly(machine, database)


async def no_replicas(machine) -> None:
    await machine.redis.config_set("min-replicas-to-write", 1)


async def enough_replicas(machine) -> None:
    await machine.redis.config_set("min-replicas-to-write", 0)


async def fail_to_save(machine) -> None:
    """A background save that failed makes Valkey refuse writes; its folder has gone."""
    await machine.redis.config_set("appendonly", "no")
    await machine.redis.config_set("save", "3600 1000000")
    shutil.rmtree((await machine.redis.config_get("dir"))["dir"])
    await machine.redis.bgsave()

    async def failed():
        return (await machine.redis.info("persistence"))["rdb_last_bgsave_status"] == "err"

    await eventually(failed)


async def accept_failed_saves(machine) -> None:
    await machine.redis.config_set("stop-writes-on-bgsave-error", "no")


async def become_replica(machine) -> None:
    await machine.redis.replicaof("127.0.0.1", 1)


async def become_master(machine) -> None:
    await machine.redis.replicaof("NO", "ONE")


STATES = {
    "NOREPLICAS": (no_replicas, enough_replicas),
    "MISCONF": (fail_to_save, accept_failed_saves),
    "READONLY": (become_replica, become_master),
}


@pytest.mark.parametrize("code", STATES)
async def test_a_redis_that_refuses_writes_is_waited_for(machine, worker, database, tmp_path, code):
    refuse, cure = STATES[code]
    await fill_with_work_of_the_dead(machine)
    running = worker()
    await eventually(lambda: "worker ready" in worker_log(tmp_path), 60)
    await refuse(machine)
    with pytest.raises(ResponseError):
        await machine.redis.set("probe", 1)
    late = worker()  # one starts while Redis refuses
    for number in range(2):
        await eventually(partial(log_names, tmp_path, number, code), 60)
    assert running.is_running()
    assert late.is_running()
    await cure(machine)
    await machine.put(5)
    await assert_stored_exactly(machine, database)


async def test_a_redis_that_hangs_is_waited_for(machine, worker, database, tmp_path):
    await fill_with_work_of_the_dead(machine)
    machine.process.send_signal(signal.SIGSTOP)
    worker()
    await eventually(lambda: '"reason": "TimeoutError"' in worker_log(tmp_path), 60)
    machine.process.send_signal(signal.SIGCONT)
    await assert_stored_exactly(machine, database)


async def test_a_worker_stops_in_time_although_redis_hangs(machine, worker, database, tmp_path):
    await machine.put(5)
    running = worker()
    await assert_stored_exactly(machine, database)
    machine.process.send_signal(signal.SIGSTOP)
    await eventually(lambda: '"reason": "TimeoutError"' in worker_log(tmp_path), 60)
    running.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(running.wait, 15) == 0
    assert "worker stopped" in worker_log(tmp_path)

"""A million logs through server, queue and worker: python -m benchmarks.soak [LOGS].

Prints the memory of each process after every tenth; a leak shows as growth, a backlog as Valkey's.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from typing import Any

import asyncpg
import grpc
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from analytics.checks import verify_rollups
from benchmarks.report import report
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.logs import make_logs
from tests.support.machine import Machine, machine
from tests.support.ports import free_port
from tests.support.rpc import answers
from tests.support.waiting import eventually
from worker.queue.broker import LogBroker
from worker.queue.log_queue import queue_stats
from worker.queue.settings import QueueSettings

_BATCH = 100
_AT_ONCE = 8
_WATCHED = ("server", "worker", "valkey")
_BACKLOG = 300
"""Messages that may wait: the sender pauses beyond, or this would measure the backlog."""


async def _send(port: int, count: int, broker: LogBroker) -> None:
    logs = make_logs(_BATCH)
    left = iter(range(count // _BATCH))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = IngestServiceStub(channel)

        async def caller() -> None:
            for number in left:
                request = IngestLogsRequest(logs=logs)
                for log in request.logs:
                    log.log_id = str(uuid.uuid4())
                await stub.IngestLogs(request, timeout=30)
                if number % 50 == 0:
                    while (await queue_stats(broker)).depth > _BACKLOG:
                        await asyncio.sleep(0.05)

        await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))


async def run(services: Machine, port: int, logs: int) -> dict[str, Any]:
    await eventually(lambda: answers(port))
    broker = LogBroker(QueueSettings(redis_url=services.env["REDIS_URL"]))
    database = Database(StorageSettings(database_url=services.env["DATABASE_URL"], timeout_s=300))
    sizes: dict[str, list[int]] = {name: [] for name in _WATCHED}

    async def empty() -> bool:
        return (await queue_stats(broker)).depth == 0

    begin = time.monotonic()
    for _ in range(10):
        await _send(port, logs // 10, broker)
        await eventually(empty, 300)
        for name, readings in sizes.items():
            readings.append(round(services.running[name].memory_info().rss / 1e6))
    seconds = time.monotonic() - begin
    sql = await asyncpg.connect(services.env["DATABASE_URL"])
    stored = await sql.fetchval("SELECT count(*) FROM logs")
    await sql.close()
    differences = await verify_rollups(database)
    await database.close()
    await broker.shutdown()
    return {
        "logs": logs,
        "stored": stored,
        "rollup_differences": len(differences),
        "logs_per_s": round(logs / seconds),
        "memory_mb": sizes,
    }


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with machine() as services:
        port = free_port()
        unlimited = {"LLM_OBSERVE_INGEST_LOGS_PER_MINUTE": str(10**9)}
        services.start("server", "server", LLM_OBSERVE_GRPC_PORT=str(port), **unlimited)
        services.start("worker", "worker")
        report(benchmark="soak", **asyncio.run(run(services, port, logs)))


if __name__ == "__main__":
    main()

"""More logs than can be stored, for as long as it takes: python -m benchmarks.overload [SECONDS].

With one worker and with three: senders that never pause fill the queue up to its limit, and then get what is
left of it. Printed are the largest rate that can be sustained, which is what is stored meanwhile, how callers
were answered, and that memory stays flat and health says why. A tenth of the logs hold something to redact.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections import Counter
from typing import Any

import asyncpg
import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from benchmarks.report import report
from stack import readiness
from tests.support.logs import make_logs
from tests.support.machine import Machine, machine
from tests.support.ports import free_port
from tests.support.rollups import COUNT_REQUESTS
from tests.support.waiting import eventually

_BATCH = 100
_SENDERS = 8
_QUEUE_MEGABYTES = 32
"""So that it is full within seconds."""
_SECRET = " Write to " + "ann" + "@" + "example.org."
_WORKERS = (1, 3)


class _Senders:
    """Send batches one after the other; a refused one is sent again when the server says so."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._logs = [*make_logs(_BATCH * 9 // 10), *make_logs(_BATCH // 10, ending=_SECRET)]
        self.answers: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.stopping = False

    async def run(self) -> None:
        """Send until ``stopping`` is set."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self._port}") as channel:
            stub: Any = IngestServiceStub(channel)
            await asyncio.gather(*(self._send(stub) for _ in range(_SENDERS)))

    async def _send(self, stub: Any) -> None:
        while not self.stopping:
            request = IngestLogsRequest(logs=self._logs)
            for log in request.logs:
                log.log_id = str(uuid.uuid4())
            begin = time.perf_counter()
            try:
                await stub.IngestLogs(request, timeout=30)
            except grpc.aio.AioRpcError as error:
                pause_s, reason = _told(error)
                self.answers[reason] += 1
                await asyncio.sleep(pause_s)
            else:
                self.answers["OK"] += 1
                self.latencies.append(time.perf_counter() - begin)


def _told(error: Any) -> tuple[float, str]:
    """Return when to come again, in seconds, and why a batch was refused."""
    status, pause_s, reason = rpc_status.from_call(error), 0.0, str(error.code().name)
    for detail in status.details if status is not None else ():
        retry, info = error_details_pb2.RetryInfo(), error_details_pb2.ErrorInfo()
        if detail.Unpack(retry):
            pause_s = retry.retry_delay.ToTimedelta().total_seconds()
        elif detail.Unpack(info):
            reason = info.reason
    return pause_s, f"{reason}{'' if pause_s else ' without RetryInfo'}"


async def _measure(services: Machine, port: int, seconds: float) -> dict[str, Any]:
    sql = await asyncpg.connect(services.env["DATABASE_URL"])
    senders = _Senders(port)
    sending = asyncio.create_task(senders.run())
    await eventually(lambda: senders.answers["SERVER_BUSY"] > 0)
    senders.answers.clear()
    senders.latencies.clear()
    before, begin, memory = await sql.fetchval(COUNT_REQUESTS), time.perf_counter(), _memory(services)
    await asyncio.sleep(seconds)
    stored, took = await sql.fetchval(COUNT_REQUESTS) - before, time.perf_counter() - begin
    health = await asyncio.to_thread(readiness.ask_health, f"127.0.0.1:{port}")
    memory_after = _memory(services)
    senders.stopping = True
    await sending
    await sql.close()
    assert health is not None
    latencies = sorted(senders.latencies)
    return {
        "sustained_logs_per_s": round(stored / took),
        "answers": dict(senders.answers),
        "accepted_p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 1) if latencies else None,
        "memory_mb": {name: (memory[name], memory_after[name]) for name in memory},
        "oldest_age_s": round(health.queue.oldest_age.ToMicroseconds() / 1e6, 1),
        "health": [problem.message for problem in health.problems],
    }


def _memory(services: Machine) -> dict[str, int]:
    return {name: process.memory_info().rss >> 20 for name, process in services.running.items()}


def _run(workers: int, seconds: float) -> dict[str, Any]:
    with machine() as services:
        port = free_port()
        services.env |= {
            "LLM_OBSERVE_GRPC_PORT": str(port),
            "LLM_OBSERVE_QUEUE_MAX_MEGABYTES": str(_QUEUE_MEGABYTES),
            "LLM_OBSERVE_INGEST_LOGS_PER_MINUTE": "1000000000",
        }
        services.start("server", "server")
        for number in range(workers):
            services.start(f"worker-{number}", "worker")

        async def measure() -> dict[str, Any]:
            async def ready() -> bool:
                health = await asyncio.to_thread(readiness.ask_health, f"127.0.0.1:{port}")
                return health is not None and health.queue.consumer_count == workers

            await eventually(ready)
            return await _measure(services, port, seconds)

        return asyncio.run(measure())


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    report(
        benchmark="overload",
        seconds=seconds,
        queue_limit_mb=_QUEUE_MEGABYTES,
        **{f"workers_{workers}": _run(workers, seconds) for workers in _WORKERS},
    )


if __name__ == "__main__":
    main()

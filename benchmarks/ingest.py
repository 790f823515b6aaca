"""IngestLogs, acknowledged once the queue is durable, compared with a bare grpc.aio echo of the same bytes.

python -m benchmarks.ingest: alternates rounds of ours and bare; the ratio of medians is the figure.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import grpc
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from benchmarks.report import ratio, report
from tests.support.logs import make_logs
from tests.support.machine import machine
from tests.support.ports import free_port
from tests.support.rpc import answers
from tests.support.waiting import eventually

_ROUNDS = 15
_CASES = {"single logs": (1, 64, 3000), "batches of 100": (100, 16, 300)}
"""Name: logs a call, calls at once, calls a round."""


async def one_round(port: int, requests: list[IngestLogsRequest], at_once: int) -> tuple[float, list[float]]:
    """Send every request; return seconds in all and seconds of each call."""
    took: list[float] = []
    waiting = iter(requests)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = IngestServiceStub(channel)

        async def caller() -> None:
            for request in waiting:
                begin = time.perf_counter()
                answer = await stub.IngestLogs(request, timeout=30)
                took.append(time.perf_counter() - begin)
                assert answer.accepted_log_count == len(request.logs)

        begin = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(at_once)))
        return time.perf_counter() - begin, took


async def measure(ours: int, bare: int) -> dict[str, Any]:
    """Return rates, p99 and ratio of each case."""
    figures: dict[str, Any] = {}
    for name, (size, at_once, calls) in _CASES.items():
        rates: dict[str, list[float]] = {"ours": [], "bare": []}
        late: dict[str, list[float]] = {"ours": [], "bare": []}
        for number in range(_ROUNDS):
            logs = make_logs(size * calls, seed=number)
            requests = [IngestLogsRequest(logs=logs[n : n + size]) for n in range(0, len(logs), size)]
            for label, port in (("ours", ours), ("bare", bare)):
                seconds, took = await one_round(port, requests, at_once)
                rates[label].append(len(logs) / seconds)
                late[label].append(statistics.quantiles(took, n=100)[98])
        figures[name] = {
            "ours_logs_per_s": round(statistics.median(rates["ours"])),
            "bare_logs_per_s": round(statistics.median(rates["bare"])),
            "ratio": ratio(statistics.median(rates["ours"]), statistics.median(rates["bare"])),
            "ours_p99_ms": round(statistics.median(late["ours"]) * 1000, 1),
            "bare_p99_ms": round(statistics.median(late["bare"]) * 1000, 1),
        }
    return figures


async def run(ours: int, bare: int) -> dict[str, Any]:
    await eventually(lambda: answers(ours))
    await eventually(lambda: answers(bare))
    return await measure(ours, bare)


def main() -> None:
    with machine() as services:
        ours, bare = free_port(), free_port()
        unlimited = {"LLM_OBSERVE_INGEST_LOGS_PER_MINUTE": str(10**9)}
        services.start("server", "server", LLM_OBSERVE_GRPC_PORT=str(ours), **unlimited)
        services.start("echo", "benchmarks.echo_server", str(bare))
        figures = asyncio.run(run(ours, bare))
        logs = sum(size * calls for size, _, calls in _CASES.values()) * _ROUNDS
        used = {
            name: round(cpu * 1e6 / logs, 1) for name, cpu in services.cpu_s().items() if name != "postgres"
        }
        report(benchmark="ingest", rounds=_ROUNDS, cases=figures, cpu_us_per_log=used)


if __name__ == "__main__":
    main()

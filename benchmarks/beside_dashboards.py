"""Ingest's latency and the gaps between a chat's tokens, alone and beside ten dashboards that refresh.

python -m benchmarks.beside_dashboards [logs] [groups]: over the data of benchmarks.dashboard, which is made
where it is missing. Both phases alternate, so that a busy machine slows both. What a refresh costs in CPU is
what the phases differ by.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import grpc
from llm_observe.v1 import chat_service_pb2 as chat
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from analytics.windows import DAY, HOUR
from benchmarks.dashboard import ask
from benchmarks.dashboard_data import data_folder, fill, kept_machine
from benchmarks.report import ratio, report
from tests.support.logs import make_logs
from tests.support.ports import free_port
from tests.support.rpc import answers
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from datetime import timedelta
    from multiprocessing.sharedctypes import SynchronizedArray
    from multiprocessing.synchronize import Event

    from tests.support.machine import Machine

_ROUNDS = 12
_ROUND_S = 5.0
_DASHBOARDS = 10
_REFRESH_S = 5.0
_INGEST_PAUSE_S = 0.01
_PANELS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("GetSummary", {}),
    ("QueryTimeSeries", {}),
    ("QueryTimeSeries", {"group_by": "DIMENSION_PROVIDER"}),
    ("QueryBreakdown", {"dimension": "DIMENSION_MODEL"}),
    ("ListErrors", {"page_size": 20}),
    ("ListReleases", {}),
)
_WINDOWS: tuple[timedelta, ...] = (HOUR, DAY, 7 * DAY, 30 * DAY)


class Cpu:
    """CPU seconds by process and phase."""

    def __init__(self, services: Machine) -> None:
        self._services = services
        self._used: dict[str, dict[bool, float]] = defaultdict(lambda: {True: 0.0, False: 0.0})
        self._last = services.cpu_s()

    def note(self, *, beside: bool) -> None:
        """Count what was used since the last call."""
        now = self._services.cpu_s()
        for name, used in now.items():
            self._used[name][beside] += used - self._last[name]
        self._last = now

    def per_refresh_ms(self, refreshes: int) -> dict[str, float]:
        """Return the CPU that a dashboard's refresh takes."""
        return {
            name: round((used[True] - used[False]) * 1000 / refreshes, 1) for name, used in self._used.items()
        }


class Latencies:
    """What was measured, in milliseconds, by phase."""

    def __init__(self) -> None:
        self.alone: list[float] = []
        self.beside: list[float] = []

    def figures(self) -> dict[str, float]:
        """Return medians, 99th percentiles, and the ratio of the latter."""
        p99 = {name: statistics.quantiles(getattr(self, name), n=100)[98] for name in ("alone", "beside")}
        return {
            "samples": len(self.alone) + len(self.beside),
            "alone_p50_ms": round(statistics.median(self.alone), 2),
            "beside_p50_ms": round(statistics.median(self.beside), 2),
            "alone_p99_ms": round(p99["alone"], 2),
            "beside_p99_ms": round(p99["beside"], 2),
            "p99_ratio": ratio(p99["beside"], p99["alone"]),
        }


async def send_logs(channel: grpc.aio.Channel, into: list[float], until: float) -> None:
    """Send single logs at a steady pace."""
    stub: Any = IngestServiceStub(channel)
    for log in make_logs(10_000, seed=int(until)):
        if time.perf_counter() > until:
            return
        begin = time.perf_counter()
        await stub.IngestLogs(IngestLogsRequest(logs=[log]), timeout=60)
        into.append((time.perf_counter() - begin) * 1000)
        await asyncio.sleep(_INGEST_PAUSE_S)


async def read_answers(channel: grpc.aio.Channel, into: list[float], until: float) -> None:
    """Read streamed answers, one after the other, and note the gaps between their deltas."""
    stub: Any = ChatServiceStub(channel)
    number = 0
    while time.perf_counter() < until:
        number += 1
        turn = chat.ChatTurn(session_id=f"{until}-{number}", provider="demo", content="Tell me a long story.")
        last = None
        async for event in stub.StreamChat(chat.StreamChatRequest(turn=turn), timeout=60):
            now = time.perf_counter()
            if event.HasField("delta"):
                if last is not None:
                    into.append((now - last) * 1000)
                last = now


async def refresh(stub: Any, number: int, active: Event, took: SynchronizedArray[float]) -> None:
    """Ask for every panel, again and again, as an open dashboard does."""
    length = _WINDOWS[number % len(_WINDOWS)]
    await asyncio.sleep(number * _REFRESH_S / _DASHBOARDS)
    while True:
        begin = time.perf_counter()
        if active.is_set():
            await asyncio.gather(*(ask(stub, method, length, arguments) for method, arguments in _PANELS))
            took[0] += 1
            took[1] += time.perf_counter() - begin
        await asyncio.sleep(max(0.0, _REFRESH_S - (time.perf_counter() - begin)))


def show_dashboards(port: int, active: Event, took: SynchronizedArray[float]) -> None:
    """Refresh dashboards in a process of their own, whose work delays no other client."""

    async def show() -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = AnalyticsServiceStub(channel)
            await asyncio.gather(*(refresh(stub, number, active, took) for number in range(_DASHBOARDS)))

    asyncio.run(show())


async def run(port: int, active: Event, took: SynchronizedArray[float], services: Machine) -> None:
    ingest, gaps, cpu = Latencies(), Latencies(), Cpu(services)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for number in range(2 * _ROUNDS):
            beside = number % 2 == 1
            (active.set if beside else active.clear)()
            until = time.perf_counter() + _ROUND_S
            await asyncio.gather(
                send_logs(channel, ingest.beside if beside else ingest.alone, until),
                read_answers(channel, gaps.beside if beside else gaps.alone, until),
            )
            cpu.note(beside=beside)
    refreshes, seconds = int(took[0]), took[1]
    report(
        benchmark="beside_dashboards",
        ingest=ingest.figures(),
        chat_gaps=gaps.figures(),
        refreshes=refreshes,
        refresh_ms=round(seconds * 1000 / refreshes, 1),
        cpu_ms_per_refresh=cpu.per_refresh_ms(refreshes),
    )


async def measure(port: int, services: Machine) -> None:
    await eventually(lambda: answers(port))
    context = multiprocessing.get_context("spawn")
    active, took = context.Event(), context.Array("d", 2)
    dashboards = context.Process(target=show_dashboards, args=(port, active, took), daemon=True)
    dashboards.start()
    try:
        await run(port, active, took, services)
    finally:
        dashboards.kill()
        dashboards.join()


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    groups = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with kept_machine(data_folder(logs, groups)) as services:
        asyncio.run(fill(services.env["DATABASE_URL"], logs, groups))
        port = free_port()
        services.start("server", "server", LLM_OBSERVE_GRPC_PORT=str(port))
        services.start("worker", "worker")
        asyncio.run(measure(port, services))


if __name__ == "__main__":
    main()

"""What traces and metrics cost: CPU of the server a call, and of the SDK's caller, on and off in one run.

python -m benchmarks.telemetry [rounds]

Server: processes that differ in their settings alone take turns at the same calls of one log; the figure is
the median over the rounds of their CPU time a call, the export included, over that of the server with
everything off. A real collector (rotel) receives the traces.

SDK: blocks of calls of OpenAI's client over an in-memory transport, in turns: bare, wrapped without
OpenTelemetry, and wrapped inside a span of OpenTelemetry's SDK.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import llm_observe
import rotel
from llm_observe import trace_context
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.report import ratio, report
from benchmarks.vendors import VENDORS
from tests.support.logs import make_logs
from tests.support.machine import machine
from tests.support.ports import free_port
from tests.support.rpc import answers
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psutil

    from tests.support.machine import Machine

_CALLS = 3_000
_AT_ONCE = 64
_BLOCK = 5
_TRACE = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
_SAMPLED, _UNSAMPLED = f"00-{_TRACE}-01", f"00-{_TRACE}-00"


async def _send(port: int, traceparent: str, seed: int) -> None:
    waiting = iter([IngestLogsRequest(logs=[log]) for log in make_logs(_CALLS, seed=seed)])
    metadata = (("traceparent", traceparent),)  # the same bytes for each, so that only the server differs
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = IngestServiceStub(channel)

        async def caller() -> None:
            for request in waiting:
                await stub.IngestLogs(request, timeout=60, metadata=metadata)

        await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))


def _cpu_us(server: psutil.Popen) -> float:
    return sum(server.cpu_times()[:2]) * 1e6


async def _measure_server(services: Machine, collector: str, rounds: int) -> dict[str, Any]:
    otlp = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector}
    traces, no_traces = {"OTEL_METRICS_EXPORTER": "none"}, {"OTEL_TRACES_EXPORTER": "none"}
    prometheus = {"LLM_OBSERVE_METRICS_PORT": str(free_port())}
    cases: dict[str, tuple[dict[str, str], str]] = {
        "off": ({}, _SAMPLED),
        "off again": ({}, _SAMPLED),
        "metrics": ({**otlp, **no_traces, **prometheus}, _SAMPLED),
        "traces, not sampled": ({**otlp, **traces}, _UNSAMPLED),
        "traces, all sampled": ({**otlp, **traces}, _SAMPLED),
    }
    ports = {name: free_port() for name in cases}
    for name, (env, _) in cases.items():
        settings = {
            "LLM_OBSERVE_GRPC_PORT": str(ports[name]),
            "LLM_OBSERVE_INGEST_LOGS_PER_MINUTE": str(10**9),
        }
        services.start(name, "server", **settings, **env)
    used: dict[str, list[float]] = {name: [] for name in cases}
    for name, port in ports.items():
        await eventually(lambda port=port: answers(port))  # type: ignore[misc] # a bound default
        await _send(port, cases[name][1], seed=0)
    for number in range(1, rounds + 1):
        for name, (_, traceparent) in cases.items():
            before = _cpu_us(services.running[name])
            await _send(ports[name], traceparent, seed=number)
            used[name].append((_cpu_us(services.running[name]) - before) / _CALLS)
    medians = {name: statistics.median(values) for name, values in used.items()}
    return {
        name: {"cpu_us_per_call": round(median, 1), "ratio": ratio(median, medians["off"])}
        for name, median in medians.items()
    }


def _measure_sdk(rounds: int) -> dict[str, Any]:
    vendor = VENDORS[0]
    bare, wrapped = vendor.client(), llm_observe.wrap(vendor.client())
    tracer = TracerProvider().get_tracer("benchmark")

    def block(client: Any) -> float:
        begin = time.thread_time_ns()
        for _ in range(_BLOCK):
            vendor.call(client, stream=False)
        return (time.thread_time_ns() - begin) / 1000 / _BLOCK

    def without() -> float:
        with _not_loaded():
            return block(wrapped)

    def inside() -> float:
        with trace.use_span(tracer.start_span("application")):
            return block(wrapped)

    ways: dict[str, Callable[[], float]] = {
        "bare": lambda: block(bare),
        "wrapped": without,
        "wrapped, in a span": inside,
    }
    used: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        order = list(ways)
        for name in order[number % 3 :] + order[: number % 3]:
            used[name].append(ways[name]())
    medians = {name: statistics.median(values[10:]) for name, values in used.items()}
    return {
        **{f"{name}_us": round(median, 1) for name, median in medians.items()},
        "ratio of a call": ratio(medians["wrapped, in a span"], medians["wrapped"]),
        "reading the context_us": _cost_us(),
    }


@contextmanager
def _not_loaded() -> Iterator[None]:
    """Let it seem that the application has not loaded OpenTelemetry."""
    loaded = sys.modules.pop("opentelemetry.trace")
    try:
        yield
    finally:
        sys.modules["opentelemetry.trace"] = loaded


def _cost_us() -> dict[str, float]:
    """Return what reading the context costs by itself, in microseconds."""

    def each() -> float:
        begin = time.thread_time_ns()
        for _ in range(10_000):
            trace_context.current_span_context()
        return (time.thread_time_ns() - begin) / 1e7

    with trace.use_span(TracerProvider().get_tracer("benchmark").start_span("application")):
        inside = min(each() for _ in range(20))
    outside = min(each() for _ in range(20))
    with _not_loaded():
        absent = min(each() for _ in range(20))
    return {"not loaded": round(absent, 2), "no span": round(outside, 2), "in a span": round(inside, 2)}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with machine() as services:
        port = free_port()
        agent = str(Path(rotel.__file__).parent / "rotel-agent")
        services.start_program(
            "rotel",
            [agent, "start", "--otlp-grpc-endpoint", f"127.0.0.1:{port}", "--otlp-http-endpoint",
             f"127.0.0.1:{free_port()}", "--exporter", "blackhole"],
        )  # fmt: skip
        server = asyncio.run(_measure_server(services, f"http://127.0.0.1:{port}", rounds))
        services.start("echo", "benchmarks.echo_server", str(echo := free_port()))
        asyncio.run(eventually(lambda: answers(echo)))
        llm_observe.configure(endpoint=f"127.0.0.1:{echo}", exit_timeout_s=0.5)
        sdk = _measure_sdk(rounds * 60)
        llm_observe.shutdown(0.5)
    report(benchmark="telemetry", rounds=rounds, calls=_CALLS, server=server, sdk=sdk)


if __name__ == "__main__":
    main()

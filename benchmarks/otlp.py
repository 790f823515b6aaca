"""Spans by OTLP, answered once the queue has them, beside a bare decode of the same bytes and beside Phoenix.

python -m benchmarks.otlp [folder]: requests of 50 spans over gRPC and HTTP; half of the spans are calls. The
worker stores what comes meanwhile; `stored_s` is how long it took from the first request until every row was
there.

Phoenix (arize-phoenix, from the package index) is installed into an environment in the folder, by default a
temporary one, and gets the requests of HTTP in the same rounds. It answers before it has stored a span; CPU
is compared for all that either took until every span was stored.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from typing import Any, Final

import asyncpg
import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from benchmarks.report import report
from codec.otlp.decode_protobuf import read_spans
from tests.support.installed import Environment, install
from tests.support.machine import Machine, machine
from tests.support.otlp_bodies import body, messages, span
from tests.support.ports import free_port
from tests.support.recordings import to_protobuf
from tests.support.rpc import answers
from tests.support.waiting import eventually

_ROUNDS: Final = 3
_REQUESTS: Final = 60
_SPANS: Final = 50
_AT_ONCE: Final = 8
_LONG_S: Final = 900
_BUSY: Final = {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}


def make_requests(seed: int) -> list[bytes]:
    """Return requests, each of one trace: an agent, and calls and tools in turn."""
    chance = random.Random(seed)  # noqa: S311 - the same requests each time
    return [_make_request(chance).SerializeToString() for _ in range(_REQUESTS)]


def _make_request(chance: random.Random) -> ExportTraceServiceRequest:
    trace_id, now_ns = f"{chance.getrandbits(128):032x}", time.time_ns()
    times: dict[str, Any] = {"startTimeUnixNano": str(now_ns), "endTimeUnixNano": str(now_ns + 10**8)}
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "weather", "session.id": trace_id}
    root = chance.getrandbits(48) << 8  # ids of spans are unique: Phoenix stores one but once
    spans = [span(root, traceId=trace_id, attributes=agent, **times)]
    for number in range(1, _SPANS):
        attributes = _call(chance) if number % 2 else _tool()
        spans.append(span(root + number, root, traceId=trace_id, attributes=attributes, **times))
    return to_protobuf(body(*spans, scope="benchmark"))  # type: ignore[return-value] # spans make traces


def _call(chance: random.Random) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.response.model": "gpt-5-mini-2026-03-05", "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.id": f"chatcmpl-{chance.getrandbits(96):024x}", "gen_ai.usage.input_tokens": 2000,
        "gen_ai.usage.output_tokens": 135, "gen_ai.usage.cache_read.input_tokens": 1536,
        "gen_ai.input.messages": messages(("user", "What is the weather in Paris? " * 10)),
        "gen_ai.output.messages": messages(("assistant", "The weather in Paris is sunny today. " * 5)),
    }  # fmt: skip


def _tool() -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather",
        "gen_ai.tool.call.arguments": '{"city": "Paris"}', "gen_ai.tool.call.result": "sunny",
    }  # fmt: skip


async def over_grpc(port: int, requests: list[bytes]) -> float:
    """Send every request; return the seconds it took."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = TraceServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        decoded = [ExportTraceServiceRequest.FromString(request) for request in requests]

        async def export(request: ExportTraceServiceRequest) -> bool:
            try:
                await stub.Export(request, timeout=60)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                return False
            return True

        return await _timed(decoded, export)


async def over_http(port: int, requests: list[bytes]) -> float:
    """Send every request; return the seconds it took."""
    headers = {"content-type": "application/x-protobuf"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:

        async def post(request: bytes) -> bool:
            answer = await client.post("/v1/traces", content=request, headers=headers)
            assert answer.status_code in {httpx.codes.OK, *_BUSY}, answer.text
            return answer.status_code == httpx.codes.OK

        return await _timed(requests, post)


async def _timed(requests: list[Any], send: Any) -> float:
    waiting = iter(requests)

    async def caller() -> None:
        for request in waiting:
            while not await send(request):  # Redis was too slow
                await asyncio.sleep(1)

    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))
    return time.perf_counter() - begin


def bare(requests: list[bytes]) -> float:
    """Decode every request and read its attributes; return the seconds it took."""
    begin = time.perf_counter()
    count = sum(1 for request in requests for _ in read_spans(ExportTraceServiceRequest.FromString(request)))
    assert count == _REQUESTS * _SPANS
    return time.perf_counter() - begin


class Phoenix:
    """Phoenix in a process of its own, with its database in a folder of its own."""

    def __init__(self, services: Machine, environment: Environment) -> None:
        self.port = free_port()
        self.version = environment.versions(("arize-phoenix",))
        self._database = services.home.root / "phoenix" / "phoenix.db"
        self._database.parent.mkdir()
        env = {
            "PHOENIX_WORKING_DIR": str(self._database.parent),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(self.port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        services.start_program("phoenix", [str(environment.python.parent / "phoenix"), "serve"], env=env)

    async def answers(self) -> bool:
        """Tell whether it serves."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as client:
            try:
                return (await client.get("/healthz")).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

    def span_count(self) -> int:
        """Return how many spans it has stored."""
        with sqlite3.connect(f"file:{self._database}?mode=ro", uri=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM spans").fetchone()
        return int(count)


async def run(grpc_port: int, http_port: int, database_url: str, phoenix: Phoenix) -> dict[str, Any]:
    """Return spans a second of each way, and how long it took until all were stored."""
    rates: dict[str, list[float]] = {"grpc": [], "http": [], "phoenix_http": [], "bare_decode": []}
    begin = time.perf_counter()
    for number in range(_ROUNDS):
        rates["grpc"].append(_rate(await over_grpc(grpc_port, make_requests(2 * number))))
        same = make_requests(2 * number + 1)
        rates["http"].append(_rate(await over_http(http_port, same)))
        rates["phoenix_http"].append(_rate(await over_http(phoenix.port, same)))
        rates["bare_decode"].append(_rate(bare(same)))
    connection = await asyncpg.connect(database_url)
    sent = 2 * _ROUNDS * _REQUESTS * _SPANS

    async def stored() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM spans") == sent)

    await eventually(stored, _LONG_S)
    stored_s = time.perf_counter() - begin
    logs = await connection.fetchval("SELECT count(*) FROM logs")
    await connection.close()
    await eventually(lambda: _is_stored(phoenix, sent // 2), _LONG_S)
    return {
        **{f"{name}_spans_per_s": round(statistics.median(found)) for name, found in rates.items()},
        "spans": sent,
        "phoenix_spans": sent // 2,
        "logs": logs,
        "stored_s": round(stored_s, 1),
        "phoenix": phoenix.version,
    }


def _rate(took_s: float) -> float:
    return _REQUESTS * _SPANS / took_s


async def _is_stored(phoenix: Phoenix, count: int) -> bool:
    return phoenix.span_count() == count


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary, machine() as services:
        folder = sys.argv[1] if len(sys.argv) > 1 else temporary
        phoenix = Phoenix(services, install("phoenix", ("arize-phoenix",), folder))
        grpc_port, http_port = free_port(), free_port()
        env = {"LLM_OBSERVE_GRPC_PORT": str(grpc_port), "LLM_OBSERVE_OTLP_PORT": str(http_port)}
        services.start("server", "server", **env, LLM_OBSERVE_INGEST_LOGS_PER_MINUTE=str(10**9))
        services.start("worker", "worker")
        asyncio.run(_all_serve(grpc_port, phoenix))
        before = services.cpu_s()
        figures = asyncio.run(run(grpc_port, http_port, services.env["DATABASE_URL"], phoenix))
        used = {name: cpu - before[name] for name, cpu in services.cpu_s().items()}
        ours, theirs = figures["spans"], figures["phoenix_spans"]
        per_span = {
            name: round(cpu * 1e6 / (theirs if name == "phoenix" else ours), 1) for name, cpu in used.items()
        }
        report(benchmark="otlp", rounds=_ROUNDS, cases=figures, cpu_us_per_span=per_span)


async def _all_serve(grpc_port: int, phoenix: Phoenix) -> None:
    await eventually(lambda: answers(grpc_port), _LONG_S)
    await eventually(phoenix.answers, _LONG_S)


if __name__ == "__main__":
    main()

"""Spans by OTLP, answered once the queue has them, compared with a bare decode of the same bytes.

python -m benchmarks.otlp: requests of 50 spans over gRPC and HTTP; half of the spans are calls. The worker
stores what comes meanwhile; `stored_s` is how long it took from the first request until every row was there.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from typing import Any, Final

import asyncpg
import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from benchmarks.report import report
from codec.otlp.decode_protobuf import read_spans
from tests.support.machine import machine
from tests.support.otlp_bodies import body, messages, span
from tests.support.ports import free_port
from tests.support.recordings import to_protobuf
from tests.support.rpc import answers
from tests.support.waiting import eventually

_ROUNDS: Final = 3
_REQUESTS: Final = 60
_SPANS: Final = 50
_AT_ONCE: Final = 8


def make_requests(seed: int) -> list[bytes]:
    """Return requests, each of one trace: an agent, and calls and tools in turn."""
    chance = random.Random(seed)  # noqa: S311 - the same requests each time
    return [_make_request(chance).SerializeToString() for _ in range(_REQUESTS)]


def _make_request(chance: random.Random) -> ExportTraceServiceRequest:
    trace_id, now_ns = f"{chance.getrandbits(128):032x}", time.time_ns()
    times: dict[str, Any] = {"startTimeUnixNano": str(now_ns), "endTimeUnixNano": str(now_ns + 10**8)}
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "weather", "session.id": trace_id}
    spans = [span(1, traceId=trace_id, attributes=agent, **times)]
    for number in range(2, _SPANS + 1):
        attributes = _call(chance) if number % 2 else _tool()
        spans.append(span(number, 1, traceId=trace_id, attributes=attributes, **times))
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
            assert answer.status_code in {httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE}
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


async def run(grpc_port: int, http_port: int, database_url: str) -> dict[str, Any]:
    """Return spans a second of each way, and how long it took until all were stored."""
    await eventually(lambda: answers(grpc_port))
    rates: dict[str, list[float]] = {"grpc": [], "http": [], "bare_decode": []}
    begin = time.perf_counter()
    for number in range(_ROUNDS):
        for name, took in (
            ("grpc", await over_grpc(grpc_port, make_requests(2 * number))),
            ("http", await over_http(http_port, make_requests(2 * number + 1))),
            ("bare_decode", bare(make_requests(-1))),
        ):
            rates[name].append(_REQUESTS * _SPANS / took)
    connection = await asyncpg.connect(database_url)
    sent = 2 * _ROUNDS * _REQUESTS * _SPANS

    async def stored() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM spans") == sent)

    await eventually(stored)
    logs = await connection.fetchval("SELECT count(*) FROM logs")
    await connection.close()
    return {
        **{f"{name}_spans_per_s": round(statistics.median(found)) for name, found in rates.items()},
        "spans": sent,
        "logs": logs,
        "stored_s": round(time.perf_counter() - begin, 1),
    }


def main() -> None:
    with machine() as services:
        grpc_port, http_port = free_port(), free_port()
        env = {"LLM_OBSERVE_GRPC_PORT": str(grpc_port), "LLM_OBSERVE_OTLP_PORT": str(http_port)}
        services.start("server", "server", **env, LLM_OBSERVE_INGEST_LOGS_PER_MINUTE=str(10**9))
        services.start("worker", "worker")
        figures = asyncio.run(run(grpc_port, http_port, services.env["DATABASE_URL"]))
        used = {name: round(cpu * 1e6 / figures["spans"], 1) for name, cpu in services.cpu_s().items()}
        report(benchmark="otlp", rounds=_ROUNDS, cases=figures, cpu_us_per_span=used)


if __name__ == "__main__":
    main()

"""Sends spans while processes are killed at random: python -m tests.chaos.span_storm --spans 20000 --seed 1.

Producers send traces by OTLP over gRPC and HTTP. A framework and the client below it report each call, mostly
in different requests, some of which are sent again though they were accepted. Meanwhile server, worker and
Redis are killed. Afterwards each call is one log and each span one row; what is not fails an assertion.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from storage.pool import Database
from storage.settings import StorageSettings
from tests.chaos.storm import RETRYABLE, restart, settle
from tests.support.machine import Machine, machine
from tests.support.otlp_bodies import MILLISECOND, body, messages, span
from tests.support.ports import free_port
from tests.support.recordings import to_protobuf
from tests.support.rollups import COUNT_REQUESTS, assert_rollups_are_right
from tests.support.rpc import RPC_TIMEOUT_S
from tests.support.waiting import eventually
from worker.queue.broker import LogBroker
from worker.queue.settings import QueueSettings

PRODUCERS: Final = 4
SPANS_A_KILL: Final = 500
_KILLED: Final = ("server", "worker", "valkey")
_CALLS_A_TRACE: Final = range(1, 9)
_SENT_AGAIN: Final = 0.1
_TOKENS: Final = 10


@dataclass
class Producer:
    """Sends as an exporter does: retries a request until it is accepted."""

    seed: int
    wanted: int
    over_http: bool
    calls: Counter[str] = field(default_factory=Counter)
    """How many each trace has. Ids of responses could be redacted: some read like numbers of accounts."""
    made: int = 0
    """Spans, each counted once."""
    requests: int = 0
    retries: int = 0

    async def run(self, ports: tuple[int, int]) -> None:
        """Send all traces."""
        chance = random.Random(self.seed)
        while self.made < self.wanted:
            for request in self._trace(chance):
                for _ in range(1 + (chance.random() < _SENT_AGAIN)):
                    await self._send(ports, request)
                    self.requests += 1
            await asyncio.sleep(chance.random() * 0.05)

    def _trace(self, chance: random.Random) -> list[dict[str, Any]]:
        """Return the requests of a trace: an agent, and around each call the framework's view of it."""
        trace_id, start = f"{chance.getrandbits(128):032x}", time.time_ns()
        spans = [_made(trace_id, start, 1, 0, "agent", **{"gen_ai.operation.name": "invoke_agent"})]
        for number in range(2, 2 + 3 * chance.choice(_CALLS_A_TRACE), 3):
            response_id = f"chatcmpl-{chance.getrandbits(96):024x}"
            self.calls[trace_id] += 1
            call = {
                "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-5-mini", "gen_ai.response.id": response_id,
                "gen_ai.response.finish_reasons": ["stop"], "gen_ai.usage.input_tokens": _TOKENS,
                "gen_ai.usage.output_tokens": _TOKENS,
            }  # fmt: skip
            outer = {**call, "gen_ai.input.messages": messages(("user", "How are you?"))}
            tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look"}
            spans += [
                _made(trace_id, start, number, 1, "framework", **outer),
                _made(trace_id, start, number + 1, number, "client", **call),
                _made(trace_id, start, number + 2, 1, "agent", **tool),
            ]
        self.made += len(spans)
        chance.shuffle(spans)
        cut = chance.randrange(len(spans))
        return [_request(part) for part in (spans[:cut], spans[cut:]) if part]

    async def _send(self, ports: tuple[int, int], request: dict[str, Any]) -> None:
        send = _over_http if self.over_http else _over_grpc
        while not await send(ports[self.over_http], request):
            self.retries += 1
            await asyncio.sleep(0.2)


def _made(
    trace_id: str, start: int, number: int, parent: int, scope: str, **attributes: object
) -> tuple[str, dict[str, Any]]:
    times = {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 100 * MILLISECOND)}
    return scope, span(number, parent, traceId=trace_id, attributes=attributes, **times)


def _request(spans: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    bodies = [body(*(one for its, one in spans if its == scope), scope=scope) for scope in dict(spans)]
    return {"resourceSpans": [each for made in bodies for each in made["resourceSpans"]]}


async def _over_grpc(port: int, request: dict[str, Any]) -> bool:
    """Send a request; return whether it was accepted."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = TraceServiceStub(channel)
        try:
            answer = await stub.Export(to_protobuf(request), timeout=RPC_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            if error.code() not in RETRYABLE:
                raise
            return False
    assert not answer.HasField("partial_success")
    return True


async def _over_http(port: int, request: dict[str, Any]) -> bool:
    """Send a request; return whether it was accepted."""
    async with httpx.AsyncClient(timeout=RPC_TIMEOUT_S) as client:
        try:
            answer = await client.post(f"http://127.0.0.1:{port}/v1/traces", json=request)
        except httpx.TransportError:
            return False
    if answer.status_code in {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}:
        return False
    assert (answer.status_code, answer.json()) == (httpx.codes.OK, {})
    return True


async def storm(services: Machine, *, spans: int, seed: int) -> dict[str, Any]:
    """Run one storm and return a summary; raise AssertionError if a call or a span is not there once."""
    chance = random.Random(seed)
    ports = free_port(), free_port()
    services.env |= {
        "LLM_OBSERVE_GRPC_PORT": str(ports[0]),
        "LLM_OBSERVE_INGEST_LOGS_PER_MINUTE": str(10**9),
        "LLM_OBSERVE_QUEUE_HEARTBEAT_S": "0.3",
        "LLM_OBSERVE_QUEUE_LIVENESS_S": "1.5",
        "LLM_OBSERVE_ROLLUP_MERGE_INTERVAL_S": "0.1",
    }
    services.start("server", "server", LLM_OBSERVE_OTLP_PORT=str(ports[1]))
    services.start("worker", "worker")
    producers = [
        Producer(seed * 100 + number, spans // PRODUCERS, over_http=bool(number % 2))
        for number in range(PRODUCERS)
    ]
    kills = [*_KILLED, *chance.choices(_KILLED, k=max(0, spans // SPANS_A_KILL - len(_KILLED)))]
    begin = time.monotonic()
    breaking = asyncio.create_task(_kill(services, chance, producers, kills))
    await asyncio.gather(*(producer.run(ports) for producer in producers))
    await breaking
    queue = LogBroker(QueueSettings(redis_url=services.env["REDIS_URL"]))
    try:
        revived = await settle(services, queue)
    finally:
        await queue.shutdown()
    return await _compare(services, producers) | {
        "seed": seed,
        "killed": dict(Counter(kills)),
        "revived": dict(revived),
        "seconds": round(time.monotonic() - begin, 1),
    }


async def _kill(
    services: Machine, chance: random.Random, producers: list[Producer], names: list[str]
) -> None:
    wanted = sum(producer.wanted for producer in producers)
    for piece, name in enumerate(names, 1):
        target = wanted * piece / (len(names) + 1)
        await eventually(lambda: sum(producer.made for producer in producers) >= target)  # noqa: B023 - awaited within the turn
        await restart(services, name, chance)


async def _compare(services: Machine, producers: list[Producer]) -> dict[str, Any]:
    expected = Counter[str]()
    for producer in producers:
        expected += producer.calls
    made = sum(producer.made for producer in producers)
    sql = await asyncpg.connect(services.env["DATABASE_URL"])
    logs = await sql.fetch("SELECT trace_id, input_preview, total_token_count FROM logs")
    spans = await sql.fetch("SELECT trace_id, span_id FROM spans")
    requests = await sql.fetchval(COUNT_REQUESTS)
    letters = await sql.fetch("SELECT reason, log_count FROM dead_letters")
    await sql.close()
    assert not letters, [dict(letter) for letter in letters]
    found = Counter(log["trace_id"] for log in logs)
    assert not expected - found, f"{(expected - found).total()} accepted calls are missing"
    assert not found - expected, f"{(found - expected).total()} calls are stored twice"
    assert requests == expected.total(), f"{requests} calls in rollups"
    assert all(log["total_token_count"] == 2 * _TOKENS for log in logs)
    assert all(log["input_preview"] for log in logs), "an outer view lent no text"
    assert len({tuple(row) for row in spans}) == made, f"{made - len(spans)} accepted spans are missing"
    assert len(spans) == made, f"{len(spans) - made} spans are stored twice"
    database = Database(StorageSettings(database_url=services.env["DATABASE_URL"], timeout_s=60))
    await assert_rollups_are_right(database)
    await database.close()
    return {
        "spans": len(spans),
        "calls": len(logs),
        "requests": sum(producer.requests for producer in producers),
        "retries": sum(producer.retries for producer in producers),
        "missing": 0,
        "stored_twice": 0,
        "rollup_differences": 0,
    }


def main() -> None:
    """Run one storm and print its summary as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with machine() as services:
        print(json.dumps(asyncio.run(storm(services, spans=options.spans, seed=options.seed)), indent=2))


if __name__ == "__main__":
    main()

"""Random and mutated requests: python -m tests.chaos.fuzz --requests 100000 --seed 1.

Every method is called, and OTLP over HTTP. Requests are built from the descriptors, so that a new field is
covered at once. Every answer must be a meaningful status, and the server must keep running.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
import uuid
from collections import Counter
from typing import Any

import grpc
import httpx
import psutil
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from server.settings import ProviderSettings
from stack.demo.provider_mock import running_mock
from tests.support.machine import machine
from tests.support.rpc import RPC_TIMEOUT_S
from tests.support.server import SERVICES, start_server
from worker.queue.settings import QueueSettings

_OTLP = "opentelemetry.proto"
OTLP_SERVICES = [
    module.DESCRIPTOR.services_by_name[name]
    for module, name in (
        (trace_service_pb2, "TraceService"),
        (logs_service_pb2, "LogsService"),
        (metrics_service_pb2, "MetricsService"),
    )
]
BROKEN = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED}
CONCURRENCY = 16
INTS = (0, 1, -1, 2, 100, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 86_400, 1_700_000_000, 253_402_300_799)
TEXTS = (
    "", "a", "default", "openai", "demo", "s1", "title", "active", "\x00", "nul\x00", "x" * 201, "x" * 5000,
    "\u202e\ufffd", "%_\\", "'; DROP TABLE logs; --",
    "gen_ai.operation.name", "chat", "gen_ai.request.model", "openinference.span.kind", "LLM",
    "gen_ai.response.id",
    "gen_ai.input.messages", '[{"role": "user", "content": [1]}]', "langfuse.observation.type",
    "generation",
    "{}", "[[", "e30=", "\u0000", "日本語" * 70, "1.5e999", "-0", "*", "../../etc/passwd", "\r\n\t",
)  # fmt: skip
KINDS = FieldDescriptor
_UNSIGNED = {KINDS.TYPE_UINT32, KINDS.TYPE_UINT64, KINDS.TYPE_FIXED32, KINDS.TYPE_FIXED64}


def fill(message: Message, chance: random.Random, depth: int = 0) -> None:
    """Set about half of the fields to values that are legal on the wire and mostly odd."""
    deepest = 7 if message.DESCRIPTOR.file.package.startswith(_OTLP) else 4
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.5 or depth > deepest:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            entries = getattr(message, field.name)
            for _ in range(chance.choice((1, 3, 60))):
                key = _scalar(field.message_type.fields_by_name["key"], chance)
                value = field.message_type.fields_by_name["value"]
                if value.message_type is not None:
                    fill(entries[key], chance, depth + 1)
                else:
                    entries[key] = _scalar(value, chance)
        elif field.is_repeated:
            for _ in range(chance.choice((1, 2, 60 if depth < 1 else 3))):
                if field.message_type is not None:
                    fill(getattr(message, field.name).add(), chance, depth + 1)
                else:
                    getattr(message, field.name).append(_scalar(field, chance))
        elif field.message_type is not None:
            child = getattr(message, field.name)
            child.SetInParent()
            fill(child, chance, depth + 1)
        else:
            setattr(message, field.name, _scalar(field, chance))


def _scalar(field: Any, chance: random.Random) -> Any:
    if field.type == KINDS.TYPE_STRING:
        return str(uuid.UUID(int=chance.getrandbits(128))) if chance.random() < 0.3 else chance.choice(TEXTS)
    if field.type == KINDS.TYPE_BYTES:
        return chance.randbytes(chance.choice((0, 8, 8, 16, 16, 50)))  # ids of spans and traces among them
    if field.type == KINDS.TYPE_BOOL:
        return chance.random() < 0.5
    if field.type in {KINDS.TYPE_DOUBLE, KINDS.TYPE_FLOAT}:
        return chance.choice((0.0, -1.0, 0.5, 1e308, float("nan"), float("inf")))
    if field.type == KINDS.TYPE_ENUM:
        return chance.choice((0, 1, 2, 3, 99))
    short = {KINDS.TYPE_INT32, KINDS.TYPE_SINT32, KINDS.TYPE_SFIXED32, KINDS.TYPE_UINT32, KINDS.TYPE_FIXED32}
    bits = 31 if field.type in short else 63
    lowest = 0 if field.type in _UNSIGNED else -(2**bits)
    return max(lowest, min(2**bits - 1, chance.choice(INTS)))


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Damage a serialized request a little."""
    if not data:
        return chance.randbytes(chance.randrange(1, 20))
    at = chance.randrange(len(data))
    kind = chance.randrange(3)
    if kind == 0:
        return data[:at] + chance.randbytes(1) + data[at + 1 :]
    if kind == 1:
        return data[:at]
    return data[:at] + chance.randbytes(chance.randrange(1, 8)) + data[at:]


class Fuzzer:
    """Sends requests and counts the answers by status."""

    def __init__(self, channel: Any, http: httpx.AsyncClient, seed: int) -> None:
        self._channel = channel
        self._http = http
        self._chance = random.Random(seed)
        self.answers: Counter[str] = Counter()
        self.broken: list[str] = []
        self._methods = [
            (f"/{service.full_name}/{method.name}", GetMessageClass(method.input_type), method)
            for service in (*SERVICES.values(), *OTLP_SERVICES)
            for method in service.methods
        ]

    async def run(self, count: int) -> None:
        """Send ``count`` requests, several at once."""
        left = iter(range(count))

        async def worker() -> None:
            for _ in left:
                await self._one()

        await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))

    async def _one(self) -> None:
        path, kind, method = self._chance.choice(self._methods)
        request = kind()
        fill(request, self._chance)
        data = request.SerializeToString()
        if self._chance.random() < 0.4:
            data = mutate(data, self._chance)
        if path.startswith(f"/{_OTLP}") and self._chance.random() < 0.5:
            await self._post(path, data)
            return
        code = await self._send(path, data, streamed=method.server_streaming)
        self.answers[code.name] += 1
        if code in BROKEN:
            self.broken.append(f"{path} {code.name} {data[:300]!r}")

    async def _post(self, path: str, data: bytes) -> None:
        signal = "traces" if "Trace" in path else "logs" if "Logs" in path else "metrics"
        kind = self._chance.choice(("x-protobuf", "json"))
        headers = {
            "content-type": f"application/{kind}",
            "content-encoding": self._chance.choice(("", "gzip")),
        }
        answer = await self._http.post(f"/v1/{signal}", content=data, headers=headers)
        self.answers[f"HTTP {answer.status_code}"] += 1
        if answer.status_code not in {200, 400}:
            self.broken.append(f"{path} {answer.status_code} {data[:300]!r}")

    async def _send(self, path: str, data: bytes, *, streamed: bool) -> grpc.StatusCode:
        try:
            if not streamed:
                await self._channel.unary_unary(path)(data, timeout=RPC_TIMEOUT_S)
                return grpc.StatusCode.OK
            call = self._channel.unary_stream(path)(data, timeout=RPC_TIMEOUT_S)
            ended = await call.read() is grpc.aio.EOF
        except grpc.aio.AioRpcError as error:
            return error.code()
        if not ended:
            call.cancel()  # a live tail never ends
            return grpc.StatusCode.OK
        code: grpc.StatusCode = await call.code()
        return code


async def fuzz(database_url: str, redis_url: str, *, count: int, seed: int) -> dict[str, Any]:
    """Fuzz a server in this process and return a summary."""
    memory = psutil.Process()
    with running_mock() as mock:
        mock.default_behaviour = {"chunks": 3}
        server = await start_server(
            database_url,
            QueueSettings(redis_url=redis_url, queue_name=f"fuzz:{uuid.uuid4().hex}"),
            ProviderSettings(openai_base_url=f"{mock.base_url}/v1"),
        )
        try:
            assert server.otlp_http is not None
            async with (
                grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.otlp_http.port}", timeout=60) as http,
            ):
                fuzzer = Fuzzer(channel, http, seed)
                begin = time.monotonic()
                await fuzzer.run(count // 3)
                warm = memory.memory_info().rss
                await fuzzer.run(count - count // 3)
                grown = memory.memory_info().rss - warm
        finally:
            await server.stop(1)
    return {
        "requests": count,
        "seconds": round(time.monotonic() - begin, 1),
        "answers": dict(fuzzer.answers.most_common()),
        "broken": fuzzer.broken[:10],
        "broken_count": len(fuzzer.broken),
        "grown_mb": round(grown / 1e6, 1),
    }


def main() -> None:
    """Run and print a summary as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with machine() as services:
        database_url, redis_url = services.env["DATABASE_URL"], services.env["REDIS_URL"]
        summary = asyncio.run(fuzz(database_url, redis_url, count=options.requests, seed=options.seed))
        print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()

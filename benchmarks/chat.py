"""StreamChat compared with the vendor's own client, and with a bare gRPC stream of the same chunks.

python -m benchmarks.chat: streams of 200 tokens against mocks of the vendors' protocols; both sides
alternate in one run, so that noise of the machine affects both.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
from llm_observe import LLMClient, configure
from llm_observe.v1.chat_service_pb2 import ChatTurn, StreamChatRequest
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub

from benchmarks.report import ratio, report
from tests.support.machine import machine
from tests.support.ports import free_port
from tests.support.rpc import answers
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import psutil

_TOKENS = 200
_ROUNDS = 40
_AT_ONCE = 16
_MANY = 100
_VENDORS = ("openai", "anthropic", "gemini")
# Private names: only this benchmark needs another pace and length, so the demo model has no setting for them.
_UNPACED = f"""
from llm_observe._adapters.demo import DemoAdapter
DemoAdapter._PACE_S = 0
DemoAdapter._words = staticmethod(lambda messages: ["numbers "] * {_TOKENS})
"""
"""Loaded into the server: lets its demo model answer without pauses, as a provider without a client."""


class Took(NamedTuple):
    """Seconds to the first token and to the end."""

    first: float
    whole: float


async def _stream(port: int, provider: str, number: int = 0) -> Took:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()
        return await _stream_on(channel, provider, number)


async def _stream_on(channel: Any, provider: str, number: int) -> Took:
    stub: Any = ChatServiceStub(channel)
    turn = ChatTurn(session_id=f"s{number}", provider=provider, content="How many tickets are open?")
    begin = time.perf_counter()
    first = tokens = 0.0
    async for event in stub.StreamChat(StreamChatRequest(turn=turn), timeout=60):
        if event.WhichOneof("event") == "delta":
            first = first or time.perf_counter() - begin
            tokens += len(event.delta.text.split())  # waiting chunks are joined
    assert tokens == _TOKENS
    return Took(first, time.perf_counter() - begin)


async def _direct(client: LLMClient) -> Took:
    """The vendor's own client behind the adapter that the server uses, too; nothing is recorded."""
    begin = time.perf_counter()
    first = 0.0
    async for _ in client.astream("How many tickets are open?"):
        first = first or time.perf_counter() - begin
    return Took(first, time.perf_counter() - begin)


async def _overhead(port: int, mock: str) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for vendor in _VENDORS:
        base_url = f"{mock}/v1" if vendor == "openai" else mock
        client = LLMClient(vendor, api_key="mock", base_url=base_url)
        ours: list[Took] = []
        direct: list[Took] = []
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            for number in range(-5, _ROUNDS):
                pair = await _stream_on(channel, vendor, number), await _direct(client)
                if number >= 0:  # the first rounds warm up
                    ours.append(pair[0])
                    direct.append(pair[1])
        await client.aclose()
        figures[vendor] = {
            f"{name}_ms": {
                "ours": _median_ms(ours, name),
                "direct": _median_ms(direct, name),
                "added": round(_median_ms(ours, name) - _median_ms(direct, name), 2),
            }
            for name in Took._fields
        }
    return figures


def _median_ms(took: list[Took], name: str) -> float:
    return round(float(statistics.median(getattr(each, name) for each in took)) * 1000, 2)


async def _rate(read: Callable[[int], Awaitable[Took]], streams: int) -> float:
    """Return tokens per second of ``streams`` streams, 16 at once."""
    left = iter(range(streams))

    async def caller() -> None:
        for number in left:
            await read(number)

    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))
    return streams * _TOKENS / (time.perf_counter() - begin)


async def _rates(port: int, bare: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for vendor in (*_VENDORS, "demo"):
        ours, plain = [], []
        for _ in range(3):
            ours.append(await _rate(lambda number: _stream(port, vendor, number), 48))  # noqa: B023 - awaited here
            plain.append(await _rate(lambda number: _stream(bare, vendor, number), 48))  # noqa: B023 - as above
        figures[vendor] = {
            "ours_tokens_per_s": round(statistics.median(ours)),
            "bare_tokens_per_s": round(statistics.median(plain)),
            "ratio": ratio(statistics.median(ours), statistics.median(plain)),
        }
    return figures


async def _memory(port: int, server: psutil.Process) -> dict[str, float]:
    """Return the server's memory after a hundred streams at once, and after nine hundred more, in MB."""
    sizes = []
    for rounds in (1, 9):
        for _ in range(rounds):
            await asyncio.gather(*(_stream(port, _VENDORS[n % 3], n) for n in range(_MANY)))
        sizes.append(server.memory_info().rss / 1e6)
    return {"after_100_mb": round(sizes[0], 1), "after_1000_mb": round(sizes[1], 1)}


async def run(port: int, bare: int, mock: str, server: psutil.Process) -> dict[str, Any]:
    await eventually(lambda: answers(port))
    await eventually(lambda: answers(bare))
    return {
        "overhead": await _overhead(port, mock),
        "rates": await _rates(port, bare),
        "memory": await _memory(port, server),
    }


def main() -> None:
    configure(endpoint="")  # this process plays the application and records nothing
    with machine() as services:
        port, bare, mock = (free_port() for _ in range(3))
        url = f"http://127.0.0.1:{mock}"
        services.start("mock", "benchmarks.mock_server", str(mock), str(_TOKENS))
        services.start("echo", "benchmarks.echo_server", str(bare))
        (services.home.root / "sitecustomize.py").write_text(_UNPACED)
        server = services.start(
            "server",
            "server",
            PYTHONPATH=str(services.home.root),
            LLM_OBSERVE_GRPC_PORT=str(port),
            LLM_OBSERVE_CHAT_TURNS_PER_MINUTE=str(10**6),
            LLM_OBSERVE_CHAT_PROJECT_TURNS_PER_MINUTE=str(10**6),
            OPENAI_BASE_URL=f"{url}/v1",
            ANTHROPIC_BASE_URL=url,
            GEMINI_BASE_URL=url,
        )
        figures = asyncio.run(run(port, bare, url, server))
        report(benchmark="chat", tokens=_TOKENS, **figures)


if __name__ == "__main__":
    main()

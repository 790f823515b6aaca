"""What wrapping adds to a call on the application's thread: python -m benchmarks.sdk_overhead [calls].

The same process alternates blocks of bare and wrapped calls of the official client over an in-memory
transport, and compares the CPU time of the calling thread (time.thread_time_ns); the figure is the median of
the differences between neighbouring blocks. The collector is up (a real gRPC server that answers at once),
black-holed (accepts connections and never answers) or down (a closed port).
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import signal
import socket
import statistics
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import llm_observe
import openai
from llm_observe._call import Call
from llm_observe._providers import openai as openai_provider
from llm_observe._runtime import get_runtime
from llm_observe._taps import tap
from openai.types.chat import ChatCompletionChunk

from benchmarks.harness import report
from stack import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BLOCK = 5
_MESSAGES = [{"role": "user", "content": "What is the capital of France, and why? " * 8}]
_ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Paris. " * 40}}
    ],
    "usage": {"prompt_tokens": 90, "completion_tokens": 60, "total_tokens": 150},
}


def _chunk(text: str | None, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(body)}\n\n".encode()


_PLAIN = json.dumps(_ANSWER).encode()
_STREAM = b"".join([*(_chunk("word ") for _ in range(50)), _chunk(None, "stop"), b"data: [DONE]\n\n"])


def _transport(request: httpx2.Request) -> httpx2.Response:
    if b'"stream":true' in request.content.replace(b" ", b""):
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=_STREAM)
    return httpx2.Response(200, headers={"content-type": "application/json"}, content=_PLAIN)


def _client() -> openai.OpenAI:
    transport = httpx2.MockTransport(_transport)
    return openai.OpenAI(api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport))


def _async_client() -> openai.AsyncOpenAI:
    transport = httpx2.MockTransport(_transport)
    return openai.AsyncOpenAI(api_key="k", max_retries=0, http_client=httpx2.AsyncClient(transport=transport))


def _plain(client: Any) -> None:
    client.chat.completions.create(model="gpt-4o-mini", messages=_MESSAGES)


def _stream(client: Any) -> None:
    for _ in client.chat.completions.create(model="gpt-4o-mini", messages=_MESSAGES, stream=True):
        pass


def _block(call: Callable[[Any], None], client: Any) -> float:
    """Return microseconds of the calling thread's CPU a call."""
    begin = time.thread_time_ns()
    for _ in range(_BLOCK):
        call(client)
    return (time.thread_time_ns() - begin) / 1000 / _BLOCK


def _ablock(loop: asyncio.AbstractEventLoop, client: Any, *, stream: bool) -> float:
    async def run() -> None:
        for _ in range(_BLOCK):
            answer = await client.chat.completions.create(
                model="gpt-4o-mini", messages=_MESSAGES, stream=stream
            )
            if stream:
                async with answer:
                    async for _ in answer:
                        pass

    begin = time.thread_time_ns()
    loop.run_until_complete(run())
    return (time.thread_time_ns() - begin) / 1000 / _BLOCK


def _compare(measure: Callable[[bool], float], calls: int) -> dict[str, float]:
    """Alternate bare and wrapped blocks, in turns first, after a warm-up."""
    for on in (False, True):
        measure(on)
    bare, added = [], []
    for number in range(max(8, calls // _BLOCK)):
        first = number % 2 == 0
        one, two = measure(not first), measure(first)
        plain, wrapped = (one, two) if first else (two, one)
        bare.append(plain)
        added.append(wrapped - plain)
    return {"bare_us": round(statistics.median(bare), 1), "added_us": round(statistics.median(added), 1)}


def _tap_alone_us() -> float:
    """Return what the tap adds to a stream of 50 ready-made chunks, without HTTP and parsing."""
    chunks = [
        ChatCompletionChunk.model_validate_json(line.removeprefix(b"data: "))
        for line in _STREAM.split(b"\n\n")
        if line.startswith(b"data: {")
    ]

    def bare() -> None:
        for _ in iter(chunks):
            pass

    def tapped() -> None:
        call = Call("openai", "chat", "m", lambda _: None)
        call.kind = "/chat/completions"
        for _ in tap(iter(chunks), openai_provider, call, hide=True):
            pass

    def once(run: Callable[[], None]) -> float:
        begin = time.thread_time_ns()
        run()
        return (time.thread_time_ns() - begin) / 1000

    added = [once(tapped) - once(bare) for _ in range(3000)]
    return round(statistics.median(added), 1)


def measure_all(calls: int) -> dict[str, Any]:
    sync = {False: _client(), True: llm_observe.wrap(_client())}
    loop = asyncio.new_event_loop()
    asyn = {False: _async_client(), True: llm_observe.wrap(_async_client())}
    figures = {
        "sync plain": _compare(lambda on: _block(_plain, sync[on]), calls),
        "sync stream of 50": _compare(lambda on: _block(_stream, sync[on]), calls // 3),
        "async plain": _compare(lambda on: _ablock(loop, asyn[on], stream=False), calls),
        "async stream of 50": _compare(lambda on: _ablock(loop, asyn[on], stream=True), calls // 3),
    }
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    return figures


@contextmanager
def _collector(kind: str) -> Iterator[str]:
    port = processes.free_port()
    if kind == "up":
        server = processes.start(
            [sys.executable, "-m", "benchmarks.echo_server", str(port)], log=Path(os.devnull), env=os.environ
        )
        time.sleep(1.5)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            processes.stop(server, signal.SIGTERM, 5)
    elif kind == "black-holed":
        with socket.create_server(("127.0.0.1", port), backlog=100):
            yield f"127.0.0.1:{port}"
    else:
        yield f"127.0.0.1:{port}"


def _background_us(calls: int) -> float:
    """CPU a call of everything but the calling thread, the flush included."""
    client = llm_observe.wrap(_client())
    process, thread = time.process_time_ns(), time.thread_time_ns()
    for _ in range(calls):
        _plain(client)
    llm_observe.flush(10)
    others = (time.process_time_ns() - process) - (time.thread_time_ns() - thread)
    return round(others / 1000 / calls, 1)


def _growth_mb(calls: int) -> float:
    """Growth of the resident set over many calls with nobody to take them."""
    client = llm_observe.wrap(_client())
    for _ in range(200):
        _plain(client)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(calls):
        _plain(client)
    return round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1)


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    figures: dict[str, Any] = {"tap_alone_us_per_stream_of_50": _tap_alone_us()}
    for kind in ("up", "black-holed", "down"):
        with _collector(kind) as endpoint:
            llm_observe.configure(endpoint=endpoint, exit_timeout_s=0.5)
            figures[kind] = measure_all(calls)
            if kind == "up":
                figures["background_us_per_call"] = _background_us(calls)
            if kind == "down":
                figures["rss_growth_mb_over_50000_calls"] = _growth_mb(50_000)
                figures["drops"] = get_runtime()._batcher.dropped_counts()
            llm_observe.shutdown(0.5)
    report(benchmark="sdk_overhead", calls=calls, **figures)


if __name__ == "__main__":
    main()

"""Calls that trio or gevent cancels are recorded as cancelled."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import llm_observe
import openai
import pytest
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED
from openai_wire import CHUNKS, QUESTION

LONG_S = 600
LINES = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in CHUNKS[:3]]


class Stalling(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Begins an answer, and never ends it."""

    def __init__(self, sleep: Callable[[float], Any]) -> None:
        self.sleep = sleep

    def __iter__(self) -> Iterator[bytes]:
        yield from LINES
        self.sleep(LONG_S)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for line in LINES:
            yield line
        await self.sleep(LONG_S)


def begun(sleep: Callable[[float], Any]) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Stalling(sleep))


ASKED: Any = {"model": "m", "messages": QUESTION}


@pytest.mark.parametrize("stream", [False, True])
def test_trio(recorder, stream):
    trio = pytest.importorskip("trio")

    async def play(_: httpx2.Request) -> httpx2.Response:
        if not stream:
            await trio.sleep(LONG_S)
        return begun(trio.sleep)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(play))
    client = llm_observe.wrap(openai.AsyncOpenAI(api_key="k", http_client=http))

    async def ask() -> None:
        with trio.move_on_after(0.1):
            answer = await client.chat.completions.create(**ASKED, stream=stream)
            async for _ in answer:
                pass

    trio.run(ask)
    assert recorder.only.outcome == OUTCOME_CANCELLED
    assert recorder.only.output_preview == ("all is " if stream else "")


@pytest.mark.parametrize("stream", [False, True])
def test_gevent(recorder, stream):
    gevent = pytest.importorskip("gevent")

    def play(_: httpx2.Request) -> httpx2.Response:
        if not stream:
            gevent.sleep(LONG_S)
        return begun(gevent.sleep)

    http = httpx2.Client(transport=httpx2.MockTransport(play))
    client = llm_observe.wrap(openai.OpenAI(api_key="k", http_client=http))
    greenlet = gevent.spawn(lambda: list(client.chat.completions.create(**ASKED, stream=stream)))
    gevent.sleep(0.1)
    greenlet.kill()
    assert recorder.only.outcome == OUTCOME_CANCELLED
    assert recorder.only.output_preview == ("all is " if stream else "")

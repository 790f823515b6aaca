"""Streams that end, fail, or are closed by the application, in every way to do so."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from types import SimpleNamespace
from typing import Any

import httpx2
import llm_observe
import openai
import pytest
from llm_observe._response_body import cancel_when_closed
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS
from openai_wire import CHUNKS, QUESTION, create, make_async_client, make_client
from vendor_wire import Anthropic, OpenAI

VENDORS: dict[str, Any] = {"openai": OpenAI, "anthropic": Anthropic}


@pytest.fixture(params=VENDORS)
def vendor(request, recorder) -> Any:
    return VENDORS[request.param]()


CLOSINGS = {
    "stream.close()": lambda stream: stream.close(),
    "with": lambda stream: stream.__exit__(None, None, None),
    "response.close()": lambda stream: stream.response.close(),
    "a thread": lambda stream: run_in_thread(stream.close),
}
ASYNC_CLOSINGS = {
    "stream.close()": lambda stream: stream.close(),
    "with": lambda stream: stream.__aexit__(None, None, None),
    "response.aclose()": lambda stream: stream.response.aclose(),
    "a task": lambda stream: asyncio.create_task(stream.close()),
}


def run_in_thread(work: Any) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.mark.parametrize("read", [0, 2, 4], ids=["unread", "part", "more"])
@pytest.mark.parametrize("way", CLOSINGS)
def test_closing_a_stream_that_is_still_referenced_ends_its_call(vendor, recorder, way, read):
    stream = vendor.stream()
    for _ in range(read):
        next(stream)
    CLOSINGS[way](stream)
    assert recorder.only.outcome == OUTCOME_CANCELLED
    del stream
    gc.collect()
    assert len(recorder.calls) == 1


@pytest.mark.parametrize("read", [0, 2, 4], ids=["unread", "part", "more"])
@pytest.mark.parametrize("way", ASYNC_CLOSINGS)
async def test_closing_an_asynchronous_stream_that_is_still_referenced_ends_its_call(
    vendor, recorder, way, read
):
    stream = await vendor.astream(vendor.aclient())
    for _ in range(read):
        await anext(stream)
    await ASYNC_CLOSINGS[way](stream)
    assert recorder.only.outcome == OUTCOME_CANCELLED
    del stream
    gc.collect()
    assert len(recorder.calls) == 1


def test_closing_a_fully_read_stream_keeps_its_success(vendor, recorder):
    with vendor.stream() as stream:
        for _ in stream:
            pass
    stream.close()
    assert recorder.only.outcome == OUTCOME_SUCCESS


def test_closing_a_broken_stream_keeps_its_error(vendor, recorder):
    vendor.wire.ending = "cut"
    stream = vendor.stream()
    with pytest.raises(Exception, match=r"."):
        list(stream)
    stream.close()
    assert recorder.only.outcome == OUTCOME_ERROR


def test_leaving_a_stream_helper_early_ends_its_call(vendor, recorder):
    messages: Any = QUESTION
    resource = vendor.client.chat.completions if vendor.name == "openai" else vendor.client.messages
    options = {} if vendor.name == "openai" else {"max_tokens": 5}
    with resource.stream(model="m", messages=messages, **options) as stream:
        next(iter(stream))
    assert recorder.only.outcome == OUTCOME_CANCELLED
    del stream


def test_a_stream_closed_by_another_thread_during_a_read_is_cancelled(recorder):
    reading, closed = threading.Event(), threading.Event()

    class Silent(httpx2.SyncByteStream):
        def __iter__(self) -> Any:
            yield f"data: {json.dumps(CHUNKS[1])}\n\n".encode()
            reading.set()
            closed.wait(30)
            raise httpx2.ReadError("closed")

        def close(self) -> None:
            closed.set()

    headers = {"content-type": "text/event-stream"}
    client, _ = make_client(lambda _request: httpx2.Response(200, headers=headers, stream=Silent()))
    stream = create(client, stream=True)
    closer = threading.Thread(target=lambda: reading.wait(30) and stream.close())
    closer.start()
    with pytest.raises(openai.APIConnectionError):
        list(stream)
    closer.join()
    assert recorder.only.outcome == OUTCOME_CANCELLED


async def test_a_stream_closed_by_another_task_during_a_read_is_cancelled(recorder):
    reading, closed = asyncio.Event(), asyncio.Event()

    class Silent(httpx2.AsyncByteStream):
        async def __aiter__(self) -> Any:
            yield f"data: {json.dumps(CHUNKS[1])}\n\n".encode()
            reading.set()
            await closed.wait()
            raise httpx2.ReadError("closed")

        async def aclose(self) -> None:
            closed.set()

    headers = {"content-type": "text/event-stream"}
    client, _ = make_async_client(lambda _request: httpx2.Response(200, headers=headers, stream=Silent()))
    stream = await create(client, stream=True)

    async def close() -> None:
        await reading.wait()
        await stream.close()

    closer = asyncio.create_task(close())
    with pytest.raises(openai.APIConnectionError):
        async for _ in stream:
            pass
    await closer
    assert recorder.only.outcome == OUTCOME_CANCELLED


@pytest.mark.parametrize("body", [None, object(), b""], ids=["none", "an object", "bytes"])
def test_a_body_whose_class_cannot_be_changed_is_left_alone(body):
    call: Any = None
    cancel_when_closed(call, SimpleNamespace(stream=body), (number for number in range(1)))


def test_dropping_a_stream_closes_its_connection_at_once(recorder):
    vendor = Anthropic()  # unwrapped, its streams do so
    closed = []
    stream = vendor.stream()
    next(stream)
    body = stream.response.stream
    body._stream.close = lambda: closed.append(True)
    del body
    gc.disable()
    try:
        del stream
        assert closed
        assert recorder.only.outcome == OUTCOME_CANCELLED
    finally:
        gc.enable()


def test_unwrapping_a_client_keeps_its_open_stream_recorded(vendor, recorder):
    stream = vendor.stream()
    next(stream)
    llm_observe.unwrap(vendor.client)
    assert list(stream)
    assert recorder.only.outcome == OUTCOME_SUCCESS

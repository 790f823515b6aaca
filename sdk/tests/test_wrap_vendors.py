"""Anthropic and Gemini against their wire protocols: one true log for every way a call ends.

The bodies are written after the vendors' public API references.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import httpx2
import llm_observe
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS

ANTHROPIC_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-test-1",
    "content": [{"type": "text", "text": "all is well"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 4,
        "output_tokens": 5,
        "cache_read_input_tokens": 6,
        "cache_creation_input_tokens": 1,
        "output_tokens_details": {"thinking_tokens": 2},
    },
}
ANTHROPIC_EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {**ANTHROPIC_MESSAGE, "content": [], "stop_reason": None},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    *(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in ("all ", "is ", "well")
    ),
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 5},
    },
    {"type": "message_stop"},
]


def gemini_piece(text: str, *, last: bool = False) -> dict[str, Any]:
    piece: dict[str, Any] = {
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}],
        "modelVersion": "gemini-test-1",
        "responseId": "resp_1",
    }
    if last:
        piece["candidates"][0]["finishReason"] = "STOP"
        piece["usageMetadata"] = {
            "promptTokenCount": 11,
            "candidatesTokenCount": 3,
            "thoughtsTokenCount": 2,
            "cachedContentTokenCount": 6,
            "totalTokenCount": 16,
        }
    return piece


GEMINI_EVENTS = [gemini_piece("all "), gemini_piece("is "), gemini_piece("well", last=True)]


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A streamed body that may break off."""

    def __init__(self, lines: list[bytes], *, broken: bool) -> None:
        self._lines, self._broken = lines, broken

    def __iter__(self) -> Iterator[bytes]:
        yield from self._lines
        if self._broken:
            raise httpx2.ReadError("cut")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for line in self._lines:
            yield line
        if self._broken:
            raise httpx2.ReadError("cut")


class Wire:
    """Answers as the vendor would; ``ending`` says how."""

    def __init__(self, whole: Any, events: list[dict[str, Any]], fault: Any) -> None:
        self.whole, self.events, self.fault = whole, events, fault
        self.ending = "success"

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.ending == "connection":
            raise httpx2.ConnectError("no")
        if self.ending == "timeout":
            raise httpx2.ReadTimeout("late")
        if self.ending == "error":
            return httpx2.Response(429, json=self.fault, headers={"request-id": "req_9"})
        streamed = "stream" in str(request.url) or json.loads(request.content).get("stream")
        if not streamed:
            return httpx2.Response(200, json=self.whole, headers={"request-id": "req_1"})
        events = self.events[:4] if self.ending == "cut" else self.events
        if self.ending == "cut" and len(self.events) == 3:
            events = self.events[:2]
        lines = [
            (f"event: {event['type']}\n" if "type" in event else "").encode()
            + f"data: {json.dumps(event)}\n\n".encode()
            for event in events
        ]
        return httpx2.Response(
            200,
            headers={"content-type": "text/event-stream"},
            stream=Body(lines, broken=self.ending == "cut"),
        )

    async def answer_late(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(60)
        return self(request)


class Anthropic:
    """How an application uses Anthropic's client."""

    name, model = "anthropic", "claude-test"
    error, connection = anthropic.RateLimitError, anthropic.APIConnectionError
    error_code = "rate_limit_error"

    def __init__(self) -> None:
        fault = {
            "type": "error",
            "error": {"type": "rate_limit_error", "message": "slow down bob@example.com"},
        }
        self.wire = Wire(ANTHROPIC_MESSAGE, ANTHROPIC_EVENTS, fault)
        options: dict[str, Any] = {"api_key": "k", "max_retries": 0}
        self.client = llm_observe.wrap(
            anthropic.Anthropic(
                http_client=httpx2.Client(transport=httpx2.MockTransport(self.wire)), **options
            )
        )
        self.options = options

    def aclient(self, handler: Any = None) -> Any:
        transport = httpx2.MockTransport(handler or self.wire)
        return llm_observe.wrap(
            anthropic.AsyncAnthropic(http_client=httpx2.AsyncClient(transport=transport), **self.options)
        )

    def ask(self, client: Any, **options: Any) -> Any:
        messages = [{"role": "user", "content": "what is up?"}]
        return client.messages.create(model=self.model, max_tokens=50, messages=messages, **options)

    def stream(self) -> Any:
        return self.ask(self.client, stream=True)

    async def astream(self, client: Any) -> Any:
        return await self.ask(client, stream=True)


class Gemini:
    """How an application uses google-genai's client."""

    name, model = "gemini", "gemini-test"
    error, connection = genai_errors.ClientError, Exception
    error_code = "RESOURCE_EXHAUSTED"

    def __init__(self) -> None:
        fault = {
            "error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow down bob@example.com"}
        }
        whole = gemini_piece("all is well", last=True)
        self.wire = Wire(whole, GEMINI_EVENTS, fault)
        self.client = self._make(self.wire)

    def _make(self, handler: Any) -> Any:
        transport = httpx2.MockTransport(handler)
        client = genai.Client(
            api_key="k",
            http_options=types.HttpOptions(
                httpx_client=httpx2.Client(transport=transport),
                httpx_async_client=httpx2.AsyncClient(transport=transport),
            ),
        )
        return llm_observe.wrap(client)

    def aclient(self, handler: Any = None) -> Any:
        return self._make(handler or self.wire).aio

    def ask(self, client: Any, **_options: Any) -> Any:
        return client.models.generate_content(model=self.model, contents="what is up?")

    def stream(self) -> Any:
        return self.client.models.generate_content_stream(model=self.model, contents="what is up?")

    async def astream(self, client: Any) -> Any:
        return await client.models.generate_content_stream(model=self.model, contents="what is up?")


@pytest.fixture(params=[Anthropic, Gemini], ids=["anthropic", "gemini"])
def vendor(request, recorder) -> Any:
    return request.param()


def assert_success(log, vendor, *, streamed: bool) -> None:
    assert log.outcome == OUTCOME_SUCCESS
    assert (log.provider, log.operation, log.model) == (vendor.name, "chat", vendor.model)
    assert log.response_model.endswith("-test-1")
    assert (log.input_preview, log.output_preview) == ("what is up?", "all is well")
    # The same call costs the same whoever reports it: cached within input, reasoning within output.
    assert (log.input_token_count, log.output_token_count, log.total_token_count) == (11, 5, 16)
    assert (log.cache_read_token_count, log.reasoning_token_count) == (6, 2)
    assert log.finish_reason in {"end_turn", "STOP"}
    assert log.streamed == streamed
    assert log.HasField("time_to_first_token") == streamed


def test_a_plain_call(vendor, recorder):
    vendor.ask(vendor.client)
    assert_success(recorder.only, vendor, streamed=False)


async def test_an_async_plain_call(vendor, recorder):
    await vendor.ask(vendor.aclient())
    assert_success(recorder.only, vendor, streamed=False)


def test_a_stream_read_to_the_end(vendor, recorder):
    assert len(list(vendor.stream())) == len(vendor.wire.events)
    assert_success(recorder.only, vendor, streamed=True)


async def test_an_async_stream_read_to_the_end(vendor, recorder):
    async for _ in await vendor.astream(vendor.aclient()):
        pass
    assert_success(recorder.only, vendor, streamed=True)


@pytest.mark.parametrize("way", ["close", "break and drop"])
def test_a_stream_left_early(vendor, recorder, way):
    answer = vendor.stream()
    for _ in range(3 if vendor.name == "anthropic" else 1):
        next(answer)
    if way == "close":
        answer.close()
    del answer
    gc.collect()
    assert (recorder.only.outcome, recorder.only.output_preview) == (OUTCOME_CANCELLED, "all ")


async def test_an_async_stream_left_early(vendor, recorder):
    answer = await vendor.astream(vendor.aclient())
    async for _ in answer:
        break
    await (answer.aclose() if hasattr(answer, "aclose") else answer.close())
    del answer
    await asyncio.sleep(0.05)  # generators inside generators are closed by the loop, one after another
    assert recorder.only.outcome == OUTCOME_CANCELLED


@pytest.mark.parametrize("streamed", [False, True])
def test_a_provider_error(vendor, recorder, streamed):
    vendor.wire.ending = "error"
    with pytest.raises(vendor.error):
        list(vendor.stream()) if streamed else vendor.ask(vendor.client)
    log = recorder.only
    assert (log.outcome, log.http_status, log.error_code) == (OUTCOME_ERROR, 429, vendor.error_code)
    assert "[EMAIL]" in log.error_message


async def test_an_async_provider_error(vendor, recorder):
    vendor.wire.ending = "error"
    with pytest.raises(vendor.error):
        await vendor.ask(vendor.aclient())
    assert (recorder.only.outcome, recorder.only.http_status) == (OUTCOME_ERROR, 429)


@pytest.mark.parametrize(("ending", "code"), [("connection", "connection_error"), ("timeout", "timeout")])
def test_a_network_fault(vendor, recorder, ending, code):
    vendor.wire.ending = ending
    with pytest.raises(vendor.connection):
        vendor.ask(vendor.client)
    assert (recorder.only.outcome, recorder.only.error_code) == (OUTCOME_ERROR, code)


def test_a_stream_that_breaks_off(vendor, recorder):
    vendor.wire.ending = "cut"
    with pytest.raises(Exception, match=r"."):
        list(vendor.stream())
    log = recorder.only
    assert log.outcome == OUTCOME_ERROR
    assert log.output_preview.startswith("all ")


async def test_a_cancelled_task(vendor, recorder):
    task = asyncio.ensure_future(vendor.ask(vendor.aclient(vendor.wire.answer_late)))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recorder.only.outcome == OUTCOME_CANCELLED


def test_wrapping_twice_is_once(vendor, recorder):
    llm_observe.wrap(vendor.client)
    vendor.ask(vendor.client)
    assert len(recorder.calls) == 1


def test_an_unwrapped_client_is_not_recorded(vendor, recorder):
    llm_observe.unwrap(vendor.client)
    vendor.ask(vendor.client)
    assert recorder.calls == []
    llm_observe.unwrap(vendor.client)
    vendor.ask(llm_observe.wrap(vendor.client))
    assert len(recorder.calls) == 1


def test_anthropics_stream_helper_is_recorded(recorder):
    vendor = Anthropic()
    with vendor.client.messages.stream(
        model=vendor.model, max_tokens=5, messages=[{"role": "user", "content": "what is up?"}]
    ) as answer:
        assert "".join(answer.text_stream) == "all is well"
    assert_success(recorder.only, vendor, streamed=True)


def test_anthropics_raw_response_is_recorded(recorder):
    vendor = Anthropic()
    raw = vendor.client.messages.with_raw_response.create(
        model=vendor.model, max_tokens=5, messages=[{"role": "user", "content": "what is up?"}]
    )
    assert raw.headers["request-id"] == "req_1"
    assert raw.parse().to_dict()["content"] == [{"type": "text", "text": "all is well"}]
    assert_success(recorder.only, vendor, streamed=False)


def test_geminis_embeddings_are_recorded(recorder):
    vendor = Gemini()
    vendor.wire.whole = {"embeddings": [{"values": [0.1]}], "predictions": []}
    vendor.client.models.embed_content(model="embed-test", contents="what is up?")
    assert (recorder.only.operation, recorder.only.input_preview) == ("embeddings", "what is up?")

"""Every vendor's wire protocol with scripted answers, written from their API references."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from typing import Any

import anthropic
import httpx2
import llm_observe
import openai
from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from openai_wire import CHUNKS, COMPLETION, QUESTION, USAGE, chunk

OPENAI_DETAILS = {"prompt_tokens_details": {"cached_tokens": 6, "audio_tokens": 3}}
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
        "cache_creation": {"ephemeral_1h_input_tokens": 1, "ephemeral_5m_input_tokens": 0},
        "service_tier": "priority",
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


def gemini_chunk(text: str, *, last: bool = False) -> dict[str, Any]:
    chunk: dict[str, Any] = {
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}],
        "modelVersion": "gemini-test-1",
        "responseId": "resp_1",
    }
    if last:
        chunk["candidates"][0]["finishReason"] = "STOP"
        chunk["usageMetadata"] = {
            "promptTokenCount": 11,
            "candidatesTokenCount": 3,
            "thoughtsTokenCount": 2,
            "cachedContentTokenCount": 6,
            "totalTokenCount": 16,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 8},
                {"modality": "AUDIO", "tokenCount": 3},
            ],
            "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 1}],
            "trafficType": "ON_DEMAND_FLEX",
        }
    return chunk


GEMINI_EVENTS = [gemini_chunk("all "), gemini_chunk("is "), gemini_chunk("well", last=True)]


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A streamed body that may break off or stall."""

    def __init__(self, lines: list[bytes], *, broken: bool, stalled: asyncio.Event | None = None) -> None:
        self._lines, self._broken, self._stalled = lines, broken, stalled

    def __iter__(self) -> Iterator[bytes]:
        yield from self._lines
        if self._broken:
            raise httpx2.ReadError("cut")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for line in self._lines:
            yield line
        if self._stalled is not None:
            self._stalled.set()
            await asyncio.Event().wait()
        if self._broken:
            raise httpx2.ReadError("cut")


class Wire:
    """Answers as the vendor would; ``ending`` says how."""

    def __init__(self, whole: Any, events: list[dict[str, Any]], error: Any) -> None:
        self.whole, self.events, self.error = deepcopy(whole), deepcopy(events), error
        self.error_event = error
        """The error as an event in a stream."""
        self.headers: dict[str, str] = {}
        """Headers of a stream."""
        self.ending = "success"
        self.silent = asyncio.Event()
        """Set once the client waits for data that never comes."""

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if self.ending == "connection":
            raise httpx2.ConnectError("no")
        if self.ending == "timeout":
            raise httpx2.ReadTimeout("late")
        if self.ending == "error inside 200":
            return httpx2.Response(200, json=self.error)
        if self.ending == "error":
            return httpx2.Response(
                429, json=self.error, headers={"request-id": "req_9", "x-request-id": "req_9"}
            )
        streamed = "stream" in str(request.url) or json.loads(request.content).get("stream")
        if not streamed:
            return httpx2.Response(
                200, json=self.whole, headers={"request-id": "req_1", "x-request-id": "req_1"}
            )
        # Cut, stalled or incomplete after the second piece of text.
        whole = self.ending not in {"cut", "stall", "incomplete", "error event"}
        events = self.events if whole else self.events[: len(self.events) // 2 + 1]
        if self.ending == "error event":
            events = [*events, self.error_event]
        lines = [
            (f"event: {event['type']}\n" if "type" in event else "").encode()
            + f"data: {json.dumps(event)}\n\n".encode()
            for event in events
        ]
        return httpx2.Response(
            200,
            headers={"content-type": "text/event-stream", **self.headers},
            stream=Body(
                lines, broken=self.ending == "cut", stalled=self.silent if self.ending == "stall" else None
            ),
        )

    async def answer_late(self, request: httpx2.Request) -> httpx2.Response:
        self.silent.set()
        await asyncio.Event().wait()
        return self(request)


class OpenAI:
    """How an application uses OpenAI's client."""

    name, model = "openai", "gpt-test"
    error, connection = openai.RateLimitError, openai.APIConnectionError
    error_code, request_id = "rate_limit", "req_9"
    response_id, tier, address, audio, kept_1h = "c1", "flex", "api.openai.com", (3, 1), None

    def __init__(self) -> None:
        error = {"error": {"message": "slow down bob@example.com", "type": "requests", "code": "rate_limit"}}
        served = {"model": "gpt-test-1", "service_tier": self.tier}
        whole = {**COMPLETION, **served, "usage": {**USAGE, **OPENAI_DETAILS}}
        events = [{**event, **served} for event in (*CHUNKS, chunk(usage={**USAGE, **OPENAI_DETAILS}))]
        self.wire = Wire(whole, events, error)
        self.options: dict[str, Any] = {"api_key": "k", "max_retries": 0}
        transport = httpx2.MockTransport(self.wire)
        self.client = llm_observe.wrap(
            openai.OpenAI(http_client=httpx2.Client(transport=transport), **self.options)
        )

    def aclient(self, handler: Any = None) -> Any:
        transport = httpx2.MockTransport(handler or self.wire)
        return llm_observe.wrap(
            openai.AsyncOpenAI(http_client=httpx2.AsyncClient(transport=transport), **self.options)
        )

    def ask(self, client: Any, **options: Any) -> Any:
        return client.chat.completions.create(model=self.model, messages=QUESTION, **options)

    def stream(self) -> Any:
        return self.ask(self.client, stream=True)

    async def astream(self, client: Any) -> Any:
        return await self.ask(client, stream=True)


class Anthropic:
    """How an application uses Anthropic's client."""

    name, model = "anthropic", "claude-test"
    error, connection = anthropic.RateLimitError, anthropic.APIConnectionError
    error_code, request_id = "rate_limit_error", "req_9"
    response_id, tier, address, audio, kept_1h = "msg_1", "priority", "api.anthropic.com", (None, None), 1

    def __init__(self) -> None:
        error = {
            "type": "error",
            "error": {"type": "rate_limit_error", "message": "slow down bob@example.com"},
        }
        self.wire = Wire(ANTHROPIC_MESSAGE, ANTHROPIC_EVENTS, error)
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
    error_code, request_id = "RESOURCE_EXHAUSTED", ""
    response_id, tier, audio, kept_1h = "resp_1", "flex", (3, 1), None
    address = "generativelanguage.googleapis.com"

    def __init__(self) -> None:
        error = {
            "error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "slow down bob@example.com"}
        }
        whole = gemini_chunk("all is well", last=True)
        self.wire = Wire(whole, GEMINI_EVENTS, error)
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

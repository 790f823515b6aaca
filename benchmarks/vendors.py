"""The vendors' official clients over an in-memory transport that speaks their wire protocol."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import openai
from google import genai
from google.genai.types import HttpOptions

from stack.demo.provider_mock.anthropic import ANTHROPIC
from stack.demo.provider_mock.dialect import Dialect, make_answer
from stack.demo.provider_mock.gemini import GEMINI
from stack.demo.provider_mock.openai import OPENAI

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS = 50
_PROMPT = "What is the capital of France, and why? " * 8
_MESSAGES: Any = [{"role": "user", "content": _PROMPT}]
_HEADERS = {"content-type": "text/event-stream"}


def _transport(dialect: Dialect) -> httpx2.MockTransport:
    answer = make_answer(
        "m", {"messages": _MESSAGES, "stream_options": {"include_usage": True}}, chunks=_WORDS
    )
    whole = json.dumps(dialect.whole(answer)).encode()
    events = [
        (f"event: {event['type']}\n" if "type" in event else "").encode()
        + f"data: {json.dumps(event)}\n\n".encode()
        for event in dialect.events(answer)
    ]
    stream = b"".join(events) + dialect.last_line

    def respond(request: httpx2.Request) -> httpx2.Response:
        if "stream" in request.url.path or b'"stream":true' in request.content.replace(b" ", b""):
            return httpx2.Response(200, headers=_HEADERS, content=stream)
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=whole)

    return httpx2.MockTransport(respond)


@dataclass(frozen=True)
class Vendor:
    """How an application creates a client and calls it."""

    name: str
    client: Callable[[], Any]
    aclient: Callable[[], Any]
    ask: Callable[[Any, bool], Any]
    """Client and whether to stream; returns what the client does."""

    def call(self, client: Any, *, stream: bool) -> None:
        """Make one call and read all of it."""
        answer = self.ask(client, stream)
        if stream:
            for _ in answer:
                pass

    async def acall(self, client: Any, *, stream: bool) -> None:
        """As call(), with the asynchronous client."""
        answer = await self.ask(client, stream)
        if stream:
            async for _ in answer:
                pass


def _http(dialect: Dialect) -> httpx2.Client:
    return httpx2.Client(transport=_transport(dialect))


def _ahttp(dialect: Dialect) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=_transport(dialect))


def _gemini() -> genai.Client:
    options = HttpOptions(httpx_client=_http(GEMINI), httpx_async_client=_ahttp(GEMINI))
    return genai.Client(api_key="k", http_options=options)


def _ask_gemini(client: Any, stream: bool) -> Any:  # noqa: FBT001 - as Vendor.ask
    models = client.models
    ask = models.generate_content_stream if stream else models.generate_content
    return ask(model="m", contents=_PROMPT)


VENDORS = (
    Vendor(
        "openai",
        lambda: openai.OpenAI(api_key="k", http_client=_http(OPENAI)),
        lambda: openai.AsyncOpenAI(api_key="k", http_client=_ahttp(OPENAI)),
        lambda client, stream: client.chat.completions.create(model="m", messages=_MESSAGES, stream=stream),
    ),
    Vendor(
        "anthropic",
        lambda: anthropic.Anthropic(api_key="k", http_client=_http(ANTHROPIC)),
        lambda: anthropic.AsyncAnthropic(api_key="k", http_client=_ahttp(ANTHROPIC)),
        lambda client, stream: client.messages.create(
            model="m", messages=_MESSAGES, max_tokens=99, stream=stream
        ),
    ),
    Vendor("gemini", _gemini, lambda: _gemini().aio, _ask_gemini),
)

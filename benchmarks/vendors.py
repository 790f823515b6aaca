"""The vendors' official clients over an in-memory transport that speaks their wire protocol.

Prompts and answers are those of an application: many texts in ten languages, of which one call in ten has
something to redact. Each answer has 50 words, which are as many chunks of a stream.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import anthropic
import httpx2
import openai
from google import genai
from google.genai.types import HttpOptions

from stack.demo.provider_mock.anthropic import ANTHROPIC
from stack.demo.provider_mock.dialect import Dialect, make_answer
from stack.demo.provider_mock.gemini import GEMINI
from stack.demo.provider_mock.openai import OPENAI
from tests.support.redaction.chance import Chance
from tests.support.texts import make_text

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS: Final = 50
_CONVERSATIONS: Final = 500
_HEADERS: Final = {"content-type": "text/event-stream"}


class Canned(NamedTuple):
    """The two bodies of an answer."""

    whole: bytes
    stream: bytes


@cache
def make_prompts() -> tuple[str, ...]:
    """Return what the application asks, one after the other."""
    chance = Chance(1)
    return tuple(make_text(chance) for _ in range(_CONVERSATIONS))


@cache
def make_answers(dialect: Dialect) -> tuple[Canned, ...]:
    """Return what a vendor answers, one after the other."""
    chance = Chance(2)
    return tuple(_can(dialect, make_text(chance)) for _ in range(_CONVERSATIONS))


def _can(dialect: Dialect, text: str) -> Canned:
    words = list(itertools.islice(itertools.cycle(text.split(" ")), _WORDS))
    answer = make_answer("m", {"stream_options": {"include_usage": True}})._replace(
        words=words, input_tokens=99
    )
    events = [
        (f"event: {event['type']}\n" if "type" in event else "").encode()
        + f"data: {json.dumps(event)}\n\n".encode()
        for event in dialect.events(answer)
    ]
    return Canned(json.dumps(dialect.whole(answer)).encode(), b"".join(events) + dialect.last_line)


def _transport(dialect: Dialect) -> httpx2.MockTransport:
    answers = itertools.cycle(make_answers(dialect))

    def respond(request: httpx2.Request) -> httpx2.Response:
        answer = next(answers)
        if "stream" in request.url.path or b'"stream":true' in request.content.replace(b" ", b""):
            return httpx2.Response(200, headers=_HEADERS, content=answer.stream)
        return httpx2.Response(200, headers={"content-type": "application/json"}, content=answer.whole)

    return httpx2.MockTransport(respond)


@dataclass(frozen=True)
class Vendor:
    """How an application creates a client and calls it."""

    name: str
    client: Callable[[], Any]
    aclient: Callable[[], Any]
    ask: Callable[[Any, str, bool], Any]
    """Client, prompt and whether to stream; returns what the client does."""

    def call(self, client: Any, *, stream: bool) -> None:
        """Make one call, with the next prompt, and read all of it."""
        answer = self.ask(client, next(_prompts), stream)
        if stream:
            for _ in answer:
                pass

    async def acall(self, client: Any, *, stream: bool) -> None:
        """As call(), with the asynchronous client."""
        answer = await self.ask(client, next(_prompts), stream)
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


def _ask_gemini(client: Any, prompt: str, stream: bool) -> Any:  # noqa: FBT001 - as Vendor.ask
    models = client.models
    ask = models.generate_content_stream if stream else models.generate_content
    return ask(model="m", contents=prompt)


def _said(prompt: str) -> Any:
    return [{"role": "user", "content": prompt}]


_prompts = itertools.cycle(make_prompts())


VENDORS = (
    Vendor(
        "openai",
        lambda: openai.OpenAI(api_key="k", http_client=_http(OPENAI)),
        lambda: openai.AsyncOpenAI(api_key="k", http_client=_ahttp(OPENAI)),
        lambda client, prompt, stream: client.chat.completions.create(
            model="m", messages=_said(prompt), stream=stream
        ),
    ),
    Vendor(
        "anthropic",
        lambda: anthropic.Anthropic(api_key="k", http_client=_http(ANTHROPIC)),
        lambda: anthropic.AsyncAnthropic(api_key="k", http_client=_ahttp(ANTHROPIC)),
        lambda client, prompt, stream: client.messages.create(
            model="m", messages=_said(prompt), max_tokens=99, stream=stream
        ),
    ),
    Vendor("gemini", _gemini, lambda: _gemini().aio, _ask_gemini),
)

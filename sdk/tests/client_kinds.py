"""Every kind of client that wrap() accepts, and what it sends."""

from __future__ import annotations

import inspect
from typing import Any

import anthropic
import httpx2
import openai
from google import genai
from google.genai.types import HttpOptions
from openai_wire import COMPLETION, QUESTION
from vendor_wire import ANTHROPIC_MESSAGE, gemini_chunk

FIRST, SECOND = "key-first", "key-second"
sent: list[tuple[str, str]] = []
"""Host and key of every request."""


def answer(request: httpx2.Request) -> httpx2.Response:
    """Answer as the requested vendor would."""
    headers = ("authorization", "api-key", "x-api-key", "x-goog-api-key")
    sent.append(
        (request.url.host, next(request.headers[name] for name in headers if name in request.headers))
    )
    if request.url.path.endswith("/messages"):
        return httpx2.Response(200, json=ANTHROPIC_MESSAGE)
    whole = gemini_chunk("all is well", last=True)
    return httpx2.Response(200, json=whole if "generateContent" in request.url.path else COMPLETION)


def build(kind: Any, key: str = FIRST, host: str = "first.invalid") -> Any:
    """Create a client of a class."""
    transport = httpx2.MockTransport(answer)
    if issubclass(kind, genai.Client):
        options = HttpOptions(
            base_url=f"http://{host}",
            httpx_client=httpx2.Client(transport=transport),
            httpx_async_client=httpx2.AsyncClient(transport=transport),
        )
        return kind(api_key=key, http_options=options)
    asynchronous = inspect.iscoroutinefunction(kind.request)
    address = (
        {"azure_endpoint": f"http://{host}", "api_version": "2024-10-21"}
        if issubclass(kind, openai.AzureOpenAI | openai.AsyncAzureOpenAI)
        else {"base_url": f"http://{host}"}
    )
    http_client = (httpx2.AsyncClient if asynchronous else httpx2.Client)(transport=transport)
    return kind(api_key=key, max_retries=0, http_client=http_client, **address)


def build_async_gemini(kind: Any, key: str = FIRST, host: str = "first.invalid") -> Any:
    """Create only the asynchronous side of a Gemini client."""
    return build(kind, key, host).aio


async def ask(client: Any) -> None:
    """Make one call, whatever the client."""
    if hasattr(client, "chat"):
        pending = client.chat.completions.create(model="m", messages=QUESTION)
    elif hasattr(client, "messages"):
        pending = client.messages.create(model="m", max_tokens=5, messages=QUESTION)
    else:
        pending = client.models.generate_content(model="m", contents="what is up?")
    if inspect.isawaitable(pending):
        await pending


class _Portable:
    """Pickled as its class and key, as in applications that send a client to another process."""

    def __reduce__(self) -> Any:
        return build, (type(self), self.api_key)  # type: ignore[attr-defined] # the client's


class PortableOpenAI(_Portable, openai.OpenAI): ...


class PortableAsyncOpenAI(_Portable, openai.AsyncOpenAI): ...


class PortableAzureOpenAI(_Portable, openai.AzureOpenAI): ...


class PortableAsyncAzureOpenAI(_Portable, openai.AsyncAzureOpenAI): ...


class PortableAnthropic(_Portable, anthropic.Anthropic): ...


class PortableAsyncAnthropic(_Portable, anthropic.AsyncAnthropic): ...


PORTABLE = (
    PortableOpenAI,
    PortableAsyncOpenAI,
    PortableAzureOpenAI,
    PortableAsyncAzureOpenAI,
    PortableAnthropic,
    PortableAsyncAnthropic,
)
VENDORS_OWN = tuple(kind.__mro__[2] for kind in PORTABLE)
MAKERS = {
    **{kind.__name__: (build, kind) for kind in (*VENDORS_OWN, *PORTABLE)},
    "Gemini": (build, genai.Client),
    "AsyncGemini": (build_async_gemini, genai.Client),
}
"""How each kind of client is created, and its class."""

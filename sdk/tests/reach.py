"""Finds every public method of the vendors' clients, and whether a call of it is recorded."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn

import anthropic
import httpx2
import openai
from google import genai
from google.genai.types import HttpOptions
from google.oauth2.credentials import Credentials

_SKIPPED = ("_", "with_")
"""Beginnings of names: raw responses are the same methods again."""
_NO_METHODS = frozenset({"close", "copy", "is_closed"})
_NO_PARTS = frozenset({"aio", "timeout"})
"""The same methods again; and a class of httpx, which claims to be the vendor's."""

_PROPERTIES = (property, functools.cached_property)
_DEPTH = 9
"""How many attributes lead from a client to a method, at most."""


class Reached(BaseException):
    """Raised in place of a request: no client takes it for an error that it may handle or try again."""


def _reach(_: httpx2.Request) -> NoReturn:
    raise Reached


def _http() -> httpx2.Client:
    return httpx2.Client(transport=httpx2.MockTransport(_reach))


def _ahttp() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.MockTransport(_reach))


def _gemini(**settings: Any) -> genai.Client:
    options = HttpOptions(httpx_client=_http(), httpx_async_client=_ahttp())
    return genai.Client(**settings, http_options=options)


def _asynchronous(make: Callable[[], genai.Client]) -> Any:
    return make().aio


CLIENTS: dict[str, list[Callable[[], Any]]] = {
    "openai": [lambda: openai.OpenAI(api_key="k", admin_api_key="a", http_client=_http())],
    "anthropic": [lambda: anthropic.Anthropic(api_key="k", http_client=_http())],
    "google-genai": [
        lambda: _gemini(api_key="k"),
        # Some methods are for Vertex AI alone.
        lambda: _gemini(vertexai=True, project="p", location="l", credentials=Credentials(token="t")),
    ],
}
ASYNC_CLIENTS: dict[str, list[Callable[[], Any]]] = {
    "openai": [lambda: openai.AsyncOpenAI(api_key="k", admin_api_key="a", http_client=_ahttp())],
    "anthropic": [lambda: anthropic.AsyncAnthropic(api_key="k", http_client=_ahttp())],
    "google-genai": [functools.partial(_asynchronous, make) for make in CLIENTS["google-genai"]],
}


def methods_of(client: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield every public method of a client and of what it consists of, with the path that leads to it."""
    package = type(client).__module__.split(".")[0]
    if isinstance(client, genai.Client | genai.client.AsyncClient):
        yield from _methods("chats.", client.chats.create(model="m"))
    if isinstance(client, genai.Client):
        yield from _methods("live.", client.aio.live)
        yield from _methods("live.music.", client.aio.live.music)
    yield from _walk(client, package, "", 0)


def _walk(owner: Any, package: str, path: str, depth: int) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, member in inspect.getmembers_static(type(owner)):
        if name.startswith(_SKIPPED) or name in _NO_PARTS or not isinstance(member, _PROPERTIES):
            continue
        with suppress(Exception):
            part = getattr(owner, name)
            if type(part).__module__.split(".")[0] == package and depth < _DEPTH:
                yield from _methods(f"{path}{name}.", part)
                yield from _walk(part, package, f"{path}{name}.", depth + 1)


def _methods(path: str, part: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, member in inspect.getmembers_static(type(part)):
        if not name.startswith(_SKIPPED) and name not in _NO_METHODS and inspect.isfunction(member):
            yield f"{path}{name}", getattr(part, name)


async def call(path: str, method: Callable[..., Any]) -> None:
    """Call a method with arguments that its signature allows, until it has sent a request."""
    with suppress(Reached, Exception, BaseExceptionGroup):  # the arguments may not do
        result = method(**_arguments(path, method))
        if inspect.isawaitable(result):
            result = await result
        if hasattr(result, "__aenter__"):  # a stream helper
            await result.__aenter__()
        elif hasattr(result, "__enter__"):
            result.__enter__()
        elif hasattr(result, "__next__"):
            next(result)
        elif hasattr(result, "__aiter__"):
            await anext(aiter(result))


_BY_NAME: dict[str, Any] = {
    "file": ("a.wav", b"x"),
    "image": ("a.png", b"x"),
    "parts": [],
    "messages": [{"role": "user", "content": "hi"}],
    "contents": "hi",
    "message": "hi",
    "max_tokens": 5,
    "tools": [],
    "questions": [],
    "reference_images": [],
    "requests": [],
}


_BY_PATH: dict[str, dict[str, Any]] = {
    "interactions.create": {"model": "m", "input": "hi"},
    "decisions.create": {"model": "m", "input": "hi", "questions": {}},
    "responses.stream": {"model": "m", "input": "hi"},
    "videos.edit": {"prompt": "hi", "video": ("a.mp4", b"x")},
    "videos.extend": {"prompt": "hi", "video": ("a.mp4", b"x"), "seconds": "4"},
    "models.upscale_image": {"model": "m", "image": {"image_bytes": b"x"}, "upscale_factor": "x2"},
    "models.recontext_image": {"model": "m", "source": {"prompt": "hi"}},
    "models.segment_image": {"model": "m", "source": {"prompt": "hi"}},
}


def _arguments(path: str, method: Callable[..., Any]) -> dict[str, Any]:
    if path in _BY_PATH:
        return _BY_PATH[path]
    parameters = inspect.signature(method).parameters.values()
    needed = [
        each
        for each in parameters
        if each.default is each.empty and each.kind not in {each.VAR_KEYWORD, each.VAR_POSITIONAL}
    ]
    return {each.name: _value_for(each.name, str(each.annotation)) for each in needed}


def _value_for(name: str, annotation: str) -> Any:
    if name in _BY_NAME:
        return _BY_NAME[name]
    if annotation.startswith(("Iterable", "List", "list", "Sequence", "SequenceNotStr")):
        return []
    if annotation.startswith(("Dict", "dict", "Mapping")):
        return {}
    if annotation.startswith("int"):
        return 1
    return name

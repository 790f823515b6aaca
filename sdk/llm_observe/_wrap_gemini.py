"""Records google.genai.Client, synchronous and asynchronous: the objects that it consists of.

Overrides the methods that make one HTTP request each, below automatic function calling, so that each call to
the model makes one log.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llm_observe import _wrap_gemini_parts as parts
from llm_observe._guard import attempt, guarded
from llm_observe._providers import gemini
from llm_observe._providers.ids import note_gateway
from llm_observe._requests import PROVIDER
from llm_observe._runtime import submit
from llm_observe._scope import keep_scope
from llm_observe._server_address import note_server_address
from llm_observe._stand_in import is_recorded, is_wrapped, observe, restore
from llm_observe._stream_ends import fail
from llm_observe._taps import atap, tap
from llm_observe._wrap_gemini_tries import Tries, counting, observe_tries, restore_tries, tries_members

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from llm_observe._call import Call
    from llm_observe._stand_in import Members
    from llm_observe._vendor import VendorClass, VendorObject


_PARTS: Final[dict[str, Callable[..., dict[str, object]]]] = {
    "live": parts.live_members,
    "batches": parts.batches_members,
    "files": parts.files_members,
    "operations": parts.operations_members,
}
"""What a client has beside ``models``."""
_LAZY: Final = ("interactions", "decisions")
"""What a client makes when it is first asked for."""


def observe_gemini(client: VendorObject, provider: str = "") -> None:
    """Record the calls of a client (or of its ``aio`` alone), once."""
    given = provider or getattr(type(client), PROVIDER, "")
    for side in _sides_of(client):
        for name, part in _made(side):
            observe(part, _PartMembers(name, given, is_wrapped=True), replace=True)
        observe(side, _ClientMembers(given), replace=True)


def gemini_classes(package: VendorObject) -> Iterator[tuple[VendorClass, Members]]:
    """Yield the classes whose objects a client's calls go through, and what overrides their methods."""
    for prefix in ("", "Async"):
        yield getattr(package.models, f"{prefix}Models"), _models_members
        yield getattr(package.client, f"{prefix}Client"), _ClientMembers("").properties
        for name, members in _PARTS.items():
            part_class = getattr(getattr(package, name), f"{prefix}{name.capitalize()}", None)
            if part_class is not None:
                yield part_class, functools.partial(members, _locate)
    yield getattr(package.client, "BaseApiClient", None), tries_members


def restore_gemini(client: VendorObject) -> None:
    """Stop recording a client's calls."""
    for side in _sides_of(client):
        for _, part in _made(side):
            restore(part)
        restore_tries(side.models)
        restore(side)


def _sides_of(client: VendorObject) -> tuple[VendorObject, ...]:
    return (client, client.aio) if hasattr(client, "aio") else (client,)


def _made(side: VendorObject) -> Iterator[tuple[str, VendorObject]]:
    """Yield the parts that a client has made."""
    yield "models", side.models
    for name in (*_PARTS, *_LAZY):
        part = side.__dict__.get(f"_{name}")
        if part is not None:
            yield name, part


@dataclass(frozen=True)
class _ClientMembers:
    """Makes the properties whose parts are recorded when they are made. Equal ones share a stand-in."""

    provider: str
    """Who serves the calls, if the application says so."""

    def __call__(self, client_class: VendorClass) -> dict[str, object]:
        return {**self.properties(client_class), PROVIDER: self.provider}

    def properties(self, client_class: VendorClass) -> dict[str, object]:
        """Return the properties alone, which a class may get that is no stand-in."""
        return {name: self._lazy(client_class, name) for name in _LAZY if hasattr(client_class, name)}

    def _lazy(self, client_class: VendorClass, name: str) -> property:
        original = getattr(client_class, name)

        @functools.wraps(original.fget)
        def make(client: VendorObject) -> VendorObject:
            part = original.fget(client)
            if is_recorded(client):
                members = _PartMembers(name, self.provider, is_wrapped(client))
                attempt("observe_part", functools.partial(observe, replace=True), part, members)
            return part

        return property(make)


@dataclass(frozen=True)
class _PartMembers:
    """Makes the methods that record a part of a client. Equal ones share a stand-in."""

    name: str
    provider: str
    """Who serves the calls, if the application says so."""
    is_wrapped: bool
    """Whether the client is wrapped; else its calls are recorded while every client's are."""

    def __call__(self, part_class: VendorClass) -> dict[str, object]:
        kept = {PROVIDER: self.provider, parts.IS_WRAPPED: self.is_wrapped}
        if self.name == "models":
            return {**_models_members(part_class), **kept}
        members = parts.interactions_members if self.name in _LAZY else _PARTS[self.name]
        return {**members(_locate, part_class), **kept}


def _locate(part: VendorObject, call: Call) -> None:
    api_client = getattr(part, "_api_client", None)
    if api_client is not None:
        note_server_address(part, api_client._http_options.base_url, call)  # noqa: SLF001 - see below
    call.provider = getattr(part, PROVIDER, "") or call.provider


_OPERATIONS: Final = {
    "_generate_content": "chat",
    "embed_content": "embeddings",
    "_generate_images": "image_generation",
    "_edit_image": "image_generation",
    "_upscale_image": "image_generation",
    "recontext_image": "image_generation",
    "segment_image": "image_segmentation",
    "_generate_videos": "video_generation",
}
"""The methods that make one HTTP request each, and what they do."""


def _models_members(models_class: VendorClass) -> dict[str, object]:
    asynchronous = inspect.iscoroutinefunction(models_class.embed_content)
    plain, stream, kept = (_aplain, _astream, _akept) if asynchronous else (_plain, _stream, _kept)
    members: dict[str, object] = {
        name: plain(models_class, name, operation)
        for name, operation in _OPERATIONS.items()
        if hasattr(models_class, name)
    }
    members["_generate_content_stream"] = stream(models_class, "_generate_content_stream")
    members["generate_content_stream"] = kept(models_class, "generate_content_stream")
    return members


def _begin(models: VendorObject, operation: str, options: dict[str, object], *, stream: bool) -> Call | None:
    with guarded("describe"):
        call = gemini.describe(operation, options, stream=stream, sink=submit)
        attempt("server_address", _note_server_address, models, options, call)
        attempt("observe_tries", observe_tries, models)
        call.provider = getattr(models, PROVIDER, "") or call.provider
        return call
    return None


def _note_server_address(models: VendorObject, options: dict[str, object], call: Call) -> None:
    # Not public, but the client shows it nowhere else; a request may name another.
    base_url = gemini.base_url_of(options) or models._api_client._http_options.base_url  # noqa: SLF001 - see above
    note_server_address(models, base_url, call)


def _end(call: Call, response: VendorObject) -> None:
    if call.provider == "litellm":
        attempt("read_gateway", _read_gateway, response, call)
    if not attempt("read_response", gemini.read_response, response, call):
        call.needs_end = False  # whether the answer is complete is not known
    call.finish()


def _read_gateway(response: VendorObject, call: Call) -> None:
    note_gateway(response.sdk_http_response.headers, call)


def _plain(models_class: VendorClass, name: str, operation: str) -> Callable[..., VendorObject]:
    @functools.wraps(getattr(models_class, name))
    def request(self: VendorObject, **options: object) -> VendorObject:
        original = getattr(models_class, name)
        call = _begin(self, operation, options, stream=False)
        if call is None:
            return original(self, **options)
        try:
            with Tries(call):
                response = original(self, **options)
            _end(call, response)
        except BaseException as error:  # of the request, or an interrupt after it
            fail(gemini, call, error)
            raise
        return response

    return request


def _aplain(models_class: VendorClass, name: str, operation: str) -> Callable[..., VendorObject]:
    @functools.wraps(getattr(models_class, name))
    async def request(self: VendorObject, **options: object) -> VendorObject:
        original = getattr(models_class, name)
        call = _begin(self, operation, options, stream=False)
        if call is None:
            return await original(self, **options)
        try:
            with Tries(call):
                response = await original(self, **options)
            _end(call, response)
        except BaseException as error:  # of the request, or an interrupt after it
            fail(gemini, call, error)
            raise
        return response

    return request


def _stream(models_class: VendorClass, name: str) -> Callable[..., VendorObject]:
    @functools.wraps(getattr(models_class, name))
    def stream(self: VendorObject, **options: object) -> Iterator[VendorObject]:
        # A generator, like the original: nothing is sent before the first next().
        call = _begin(self, "chat", options, stream=True)
        chunks = iter(getattr(models_class, name)(self, **options))
        yield from chunks if call is None else tap(counting(chunks, call), gemini, call, hide=False)

    return stream


def _astream(models_class: VendorClass, name: str) -> Callable[..., VendorObject]:
    @functools.wraps(getattr(models_class, name))
    async def stream(self: VendorObject, **options: object) -> AsyncIterator[VendorObject]:
        call = _begin(self, "chat", options, stream=True)
        if call is None:
            return aiter(await getattr(models_class, name)(self, **options))
        try:
            with Tries(call):
                chunks = aiter(await getattr(models_class, name)(self, **options))
        except BaseException as error:
            fail(gemini, call, error)
            raise
        return atap(chunks, gemini, call, hide=False)

    return stream


# The two below only keep the session: a stream sends nothing before it is read, but it belongs to the session
# in which it was requested.


def _kept(models_class: VendorClass, name: str) -> Callable[..., VendorObject]:
    @functools.wraps(getattr(models_class, name))
    def generate_content_stream(self: VendorObject, **options: object) -> VendorObject:
        return keep_scope(getattr(models_class, name)(self, **options))

    return generate_content_stream


def _akept(models_class: VendorClass, name: str) -> Callable[..., VendorObject]:
    @functools.wraps(getattr(models_class, name))
    async def generate_content_stream(self: VendorObject, **options: object) -> VendorObject:
        return keep_scope(await getattr(models_class, name)(self, **options))

    return generate_content_stream

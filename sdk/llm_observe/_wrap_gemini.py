"""Records google.genai.Client: its ``models`` object, synchronous and asynchronous.

Overrides the methods that make one HTTP request each, below automatic function calling, so that each call to
the model makes one log.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING

from llm_observe._guard import attempt, guarded
from llm_observe._providers import gemini
from llm_observe._runtime import submit
from llm_observe._scope import keep_scope
from llm_observe._server_address import note_server_address
from llm_observe._stand_in import observe, restore
from llm_observe._taps import atap, fail, tap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from llm_observe._call import Call
    from llm_observe._stand_in import Members
    from llm_observe._vendor import VendorClass, VendorObject


def observe_gemini(client: VendorObject) -> None:
    """Record the calls of a client (or of its ``aio`` alone), once."""
    for models in _models_of(client):
        observe(models, _models_members)


def restore_gemini(client: VendorObject) -> None:
    """Stop recording a client's calls."""
    for models in _models_of(client):
        restore(models)


def gemini_classes(package: VendorObject) -> Iterator[tuple[VendorClass, Members]]:
    """Yield the classes whose objects a client's calls go through, and what overrides their methods."""
    for models_class in (package.models.Models, package.models.AsyncModels):
        yield models_class, _models_members


def _models_of(client: VendorObject) -> tuple[VendorObject, ...]:
    return (client.models, client.aio.models) if hasattr(client, "aio") else (client.models,)


def _models_members(models_class: VendorClass) -> dict[str, object]:
    asynchronous = inspect.iscoroutinefunction(models_class.embed_content)
    plain, stream, kept = (_aplain, _astream, _akept) if asynchronous else (_plain, _stream, _kept)
    return {
        "_generate_content": plain(models_class, "_generate_content", "chat"),
        "_generate_content_stream": stream(models_class, "_generate_content_stream"),
        "embed_content": plain(models_class, "embed_content", "embeddings"),
        "generate_content_stream": kept(models_class, "generate_content_stream"),
    }


def _begin(models: VendorObject, operation: str, options: dict[str, object], *, stream: bool) -> Call | None:
    with guarded("describe"):
        call = gemini.describe(operation, options, stream=stream, sink=submit)
        attempt("server_address", _note_server_address, models, options, call)
        return call
    return None


def _note_server_address(models: VendorObject, options: dict[str, object], call: Call) -> None:
    # Not public, but the client shows it nowhere else; a request may name another.
    base_url = gemini.base_url_of(options) or models._api_client._http_options.base_url  # noqa: SLF001 - see above
    note_server_address(models, base_url, call)


def _end(call: Call, response: VendorObject) -> None:
    if not attempt("read_response", gemini.read_response, response, call):
        call.needs_end = False  # whether the answer is complete is not known
    call.finish()


def _plain(models_class: VendorClass, name: str, operation: str) -> Callable[..., VendorObject]:
    @functools.wraps(getattr(models_class, name))
    def request(self: VendorObject, **options: object) -> VendorObject:
        original = getattr(models_class, name)
        call = _begin(self, operation, options, stream=False)
        if call is None:
            return original(self, **options)
        try:
            response = original(self, **options)
        except BaseException as error:
            fail(gemini, call, error)
            raise
        _end(call, response)
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
            response = await original(self, **options)
        except BaseException as error:
            fail(gemini, call, error)
            raise
        _end(call, response)
        return response

    return request


def _stream(models_class: VendorClass, name: str) -> Callable[..., VendorObject]:
    @functools.wraps(getattr(models_class, name))
    def stream(self: VendorObject, **options: object) -> Iterator[VendorObject]:
        # A generator, like the original: nothing is sent before the first next().
        call = _begin(self, "chat", options, stream=True)
        chunks = iter(getattr(models_class, name)(self, **options))
        yield from chunks if call is None else tap(chunks, gemini, call, hide=False)

    return stream


def _astream(models_class: VendorClass, name: str) -> Callable[..., VendorObject]:
    @functools.wraps(getattr(models_class, name))
    async def stream(self: VendorObject, **options: object) -> AsyncIterator[VendorObject]:
        call = _begin(self, "chat", options, stream=True)
        try:
            chunks = aiter(await getattr(models_class, name)(self, **options))
        except BaseException as error:
            if call is not None:
                fail(gemini, call, error)
            raise
        return chunks if call is None else atap(chunks, gemini, call, hide=False)

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

"""What wrap() records of google.genai.Client: its models object, synchronous and asynchronous.

Stands at the methods that make one HTTP call each, below automatic function calling, so that one log is one
call to the model.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from llm_observe._guard import guarded
from llm_observe._providers import gemini
from llm_observe._runtime import submit
from llm_observe._scope import keep_scope
from llm_observe._stand_in import observe, restore
from llm_observe._taps import atap, fail, tap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llm_observe._call import Call


def observe_gemini(client: Any) -> None:
    """Record the calls of a client (or of its ``aio`` alone), once."""
    for models in _models_of(client):
        observe(models, _models_members)


def restore_gemini(client: Any) -> None:
    """Stop recording a client's calls."""
    for models in _models_of(client):
        restore(models)


def _models_of(client: Any) -> tuple[Any, ...]:
    return (client.models, client.aio.models) if hasattr(client, "aio") else (client.models,)


def _models_members(kind: Any) -> dict[str, Any]:
    asynchronous = inspect.iscoroutinefunction(kind.embed_content)
    plain, stream, kept = (_aplain, _astream, _akept) if asynchronous else (_plain, _stream, _kept)
    return {
        "_generate_content": plain(kind, "_generate_content", "chat"),
        "_generate_content_stream": stream(kind, "_generate_content_stream"),
        "embed_content": plain(kind, "embed_content", "embeddings"),
        "generate_content_stream": kept(kind, "generate_content_stream"),
    }


def _begin(operation: str, options: dict[str, Any], *, stream: bool) -> Call | None:
    with guarded("describe"):
        return gemini.describe(operation, options, stream=stream, sink=submit)
    return None


def _end(call: Call, response: Any) -> None:
    with guarded("read_response"):
        gemini.read_response(response, call)
    call.finish()


def _plain(kind: Any, name: str, operation: str) -> Any:
    @functools.wraps(getattr(kind, name))
    def request(self: Any, **options: Any) -> Any:
        original = getattr(kind, name)
        call = _begin(operation, options, stream=False)
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


def _aplain(kind: Any, name: str, operation: str) -> Any:
    @functools.wraps(getattr(kind, name))
    async def request(self: Any, **options: Any) -> Any:
        original = getattr(kind, name)
        call = _begin(operation, options, stream=False)
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


def _stream(kind: Any, name: str) -> Any:
    @functools.wraps(getattr(kind, name))
    def stream(self: Any, **options: Any) -> Iterator[Any]:
        # A generator, as the original is: nothing is sent before the first next().
        call = _begin("chat", options, stream=True)
        pieces = iter(getattr(kind, name)(self, **options))
        yield from pieces if call is None else tap(pieces, gemini, call, hide=False)

    return stream


def _astream(kind: Any, name: str) -> Any:
    @functools.wraps(getattr(kind, name))
    async def stream(self: Any, **options: Any) -> AsyncIterator[Any]:
        call = _begin("chat", options, stream=True)
        try:
            pieces = aiter(await getattr(kind, name)(self, **options))
        except BaseException as error:
            if call is not None:
                fail(gemini, call, error)
            raise
        return pieces if call is None else atap(pieces, gemini, call, hide=False)

    return stream


# The two below change nothing but the session: a stream that sends nothing before it is read belongs to the
# session in which it was asked for.


def _kept(kind: Any, name: str) -> Any:
    @functools.wraps(getattr(kind, name))
    def generate_content_stream(self: Any, **options: Any) -> Any:
        return keep_scope(getattr(kind, name)(self, **options))

    return generate_content_stream


def _akept(kind: Any, name: str) -> Any:
    @functools.wraps(getattr(kind, name))
    async def generate_content_stream(self: Any, **options: Any) -> Any:
        return keep_scope(await getattr(kind, name)(self, **options))

    return generate_content_stream

"""The tap on google.genai.Client: its models object, synchronous and asynchronous.

Stands at the methods that make one HTTP call each, below automatic function calling, so that one log is one
call to the model.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from llm_observe._guard import guarded
from llm_observe._providers import gemini
from llm_observe._runtime import submit
from llm_observe._taps import atap, fail, tap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llm_observe._call import Call

_MARK: Final = "_llm_observe_tap"
_TAPPED: Final = ("_generate_content", "_generate_content_stream", "embed_content")


def tap_gemini(client: Any) -> None:
    """Put the tap on a client (or on its ``aio`` alone), once."""
    for models in _sides(client):
        if not hasattr(models, _MARK):
            setattr(models, _MARK, True)
            (_async if inspect.iscoroutinefunction(models.embed_content) else _sync)(models)


def untap_gemini(client: Any) -> None:
    """Take the tap off: the methods of the class stand behind ours."""
    for models in _sides(client):
        if hasattr(models, _MARK):
            for name in (*_TAPPED, _MARK):
                delattr(models, name)


def _sides(client: Any) -> tuple[Any, ...]:
    return (client.models, client.aio.models) if hasattr(client, "aio") else (client.models,)


def _begin(operation: str, options: dict[str, Any], *, stream: bool) -> Call | None:
    with guarded("describe"):
        return gemini.describe(operation, options, stream=stream, sink=submit)
    return None


def _end(call: Call, response: Any) -> None:
    with guarded("read_response"):
        gemini.read_response(response, call)
    call.finish()


def _sync(models: Any) -> None:
    def plain(operation: str, original: Any) -> Any:
        def request(**options: Any) -> Any:
            call = _begin(operation, options, stream=False)
            if call is None:
                return original(**options)
            try:
                response = original(**options)
            except BaseException as error:
                fail(gemini, call, error)
                raise
            _end(call, response)
            return response

        return request

    original_stream = models._generate_content_stream  # noqa: SLF001 - the one door of all streams

    def stream(**options: Any) -> Iterator[Any]:
        # A generator, as the original is: nothing is sent before the first next().
        call = _begin("chat", options, stream=True)
        if call is None:
            yield from original_stream(**options)
            return
        yield from tap(iter(original_stream(**options)), gemini, call, hide=False)

    models._generate_content = plain("chat", models._generate_content)  # noqa: SLF001 - as above
    models.embed_content = plain("embeddings", models.embed_content)
    models._generate_content_stream = stream  # noqa: SLF001 - as above


def _async(models: Any) -> None:
    def plain(operation: str, original: Any) -> Any:
        async def request(**options: Any) -> Any:
            call = _begin(operation, options, stream=False)
            if call is None:
                return await original(**options)
            try:
                response = await original(**options)
            except BaseException as error:
                fail(gemini, call, error)
                raise
            _end(call, response)
            return response

        return request

    original_stream = models._generate_content_stream  # noqa: SLF001 - the one door of all streams

    async def stream(**options: Any) -> AsyncIterator[Any]:
        call = _begin("chat", options, stream=True)
        if call is None:
            found: AsyncIterator[Any] = await original_stream(**options)
            return found
        try:
            pieces = await original_stream(**options)
        except BaseException as error:
            fail(gemini, call, error)
            raise
        return atap(aiter(pieces), gemini, call, hide=False)

    models._generate_content = plain("chat", models._generate_content)  # noqa: SLF001 - as above
    models.embed_content = plain("embeddings", models.embed_content)
    models._generate_content_stream = stream  # noqa: SLF001 - as above

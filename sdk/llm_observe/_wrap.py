"""What wrap() records of clients that have one request method: timing, answers, streams and errors."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llm_observe._call import SUCCESS
from llm_observe._guard import swallow
from llm_observe._providers import anthropic as anthropic_provider
from llm_observe._providers import openai as openai_provider
from llm_observe._response_body import cancel_when_closed
from llm_observe._runtime import get_runtime, submit
from llm_observe._stand_in import observe, restore
from llm_observe._taps import StreamFinalizer, atap, fail, tap
from llm_observe._wrap_gemini import observe_gemini, restore_gemini

if TYPE_CHECKING:
    from llm_observe._call import Call
    from llm_observe._providers import Provider

_Client = TypeVar("_Client")
_CLIENT_TYPES: Final[dict[tuple[str, str], Provider]] = {
    **{
        ("openai", f"{kind}{azure}OpenAI"): openai_provider
        for kind in ("", "Async")
        for azure in ("", "Azure")
    },
    **{("anthropic", f"{kind}Anthropic"): anthropic_provider for kind in ("", "Async")},
}
"""Package and class of every client with one request method."""
_GEMINI_TYPES: Final = {("google", "Client"), ("google", "AsyncClient")}


def wrap_client(client: _Client) -> _Client:
    """Record a client's calls, once.

    Raises:
        TypeError: The client is of a kind that is not supported.
    """
    kind = type(client)
    if _find_provider(kind) is not None:
        observe(client, _client_members)
    elif _names(kind) & _GEMINI_TYPES:
        observe_gemini(client)
    else:
        raise TypeError(f"llm_observe.wrap() does not know clients of type {kind.__name__}")
    return client


def unwrap_client(client: _Client) -> _Client:
    """Stop recording a client's calls; one that is not recorded is left alone."""
    if _names(type(client)) & _GEMINI_TYPES:
        restore_gemini(client)
    return restore(client)


def _names(kind: type) -> set[tuple[str, str]]:
    return {(base.__module__.split(".")[0], base.__name__) for base in kind.__mro__}


def _find_provider(kind: type) -> Provider | None:
    return next((_CLIENT_TYPES[name] for name in _names(kind) if name in _CLIENT_TYPES), None)


def _client_members(kind: Any) -> dict[str, Any]:
    provider: Any = _find_provider(kind)
    asynchronous = inspect.iscoroutinefunction(kind.request)
    return {"request": (_async_request if asynchronous else _sync_request)(kind, provider)}


def _begin(provider: Provider, options: Any, *, stream: bool) -> tuple[Call | None, Any, bool]:
    call, hide = None, False
    try:
        call = provider.describe(options, stream=stream, sink=submit)
        if call is not None and stream:
            wish = get_runtime().config.request_stream_usage
            options, hide = provider.prepare(options, request_stream_usage=wish)
    except Exception as error:  # noqa: BLE001 - a fault of ours never reaches the application
        swallow("describe", error)
    return call, options, hide


def _sync_request(kind: Any, provider: Provider) -> Any:
    @functools.wraps(kind.request)
    def request(
        self: Any, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None
    ) -> Any:
        call, options, hide = _begin(provider, options, stream=stream)
        if call is None:
            return kind.request(self, cast_to, options, stream=stream, stream_cls=stream_cls)
        try:
            response = kind.request(self, cast_to, options, stream=stream, stream_cls=stream_cls)
        except BaseException as error:
            fail(provider, call, error)
            raise
        return _settle(provider, call, response, hide=hide)

    return request


def _async_request(kind: Any, provider: Provider) -> Any:
    @functools.wraps(kind.request)
    async def request(
        self: Any, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None
    ) -> Any:
        call, options, hide = _begin(provider, options, stream=stream)
        if call is None:
            return await kind.request(self, cast_to, options, stream=stream, stream_cls=stream_cls)
        try:
            response = await kind.request(self, cast_to, options, stream=stream, stream_cls=stream_cls)
        except BaseException as error:
            fail(provider, call, error)
            raise
        return _settle(provider, call, response, hide=hide)

    return request


def _settle(provider: Provider, call: Call, response: Any, *, hide: bool) -> Any:
    """Close a plain call, or put the tap on its stream. The response stays the same object."""
    try:
        shape = _shape_of(_kind_of(response))
        if shape == "whole":
            provider.read_response(response, call)
            call.finish()
        elif shape == "stream":
            _tap_stream(provider, call, response, hide=hide)
        else:
            _settle_raw(provider, call, response, hide=hide)
    except Exception as error:  # noqa: BLE001 - a fault of ours never reaches the application
        swallow("settle", error)
        call.finish()
    return response


@functools.cache
def _shape_of(kind: Any) -> str:
    """Tell what a type of response is. Asked of the type: a model answers for a missing field slowly."""
    if hasattr(kind, "__stream__"):
        return "stream"
    declared = {name for base in kind.__mro__ for name in getattr(base, "__annotations__", ())}
    return "raw" if "http_response" in declared else "whole"


def _kind_of(response: Any) -> Any:
    """Return the type, typed as a key of the cache: mypy takes type[Any] for unhashable."""
    return type(response)


def _tap_stream(provider: Provider, call: Call, stream: Any, *, hide: bool) -> None:
    iterator = stream._iterator  # noqa: SLF001 - both iteration paths of a vendor's stream read it
    put = atap if hasattr(iterator, "__anext__") else tap
    stream._iterator = passing = put(iterator, provider, call, hide=hide)  # noqa: SLF001 - as above
    cancel_when_closed(call, getattr(stream, "response", None), passing)


def _settle_raw(provider: Provider, call: Call, raw: Any, *, hide: bool) -> None:
    """A raw response: what it parses to tells the rest, whenever the application asks for it.

    One whose body is here already is read now; parse() caches, so the application pays nothing twice.
    """
    asynchronous = inspect.iscoroutinefunction(raw.parse)
    if not call.streamed and not asynchronous and raw.http_response.is_closed:
        provider.read_response(raw.parse(), call)
        call.finish()
        return
    raw._llm_observe_unread = _Unread(provider, call, hide=hide)  # noqa: SLF001 - ours
    observe(raw, _raw_members)


class _Unread:
    """A call whose raw response has not been parsed: the first that it parses to is read, copies or not."""

    def __init__(self, provider: Provider, call: Call, *, hide: bool) -> None:
        self._settle = functools.partial(_settle, provider, call, hide=hide)
        self._finalizer: StreamFinalizer | None = StreamFinalizer(call, SUCCESS)

    def read(self, parsed: Any) -> None:
        """Read what the response was parsed to, once."""
        finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer.release()
            self._settle(parsed)


def _raw_members(kind: Any) -> dict[str, Any]:
    @functools.wraps(kind.parse)
    def parse(self: Any, **options: Any) -> Any:
        return _read_once(self, kind.parse(self, **options))

    @functools.wraps(kind.parse)
    async def aparse(self: Any, **options: Any) -> Any:
        return _read_once(self, await kind.parse(self, **options))

    return {"parse": aparse if inspect.iscoroutinefunction(kind.parse) else parse}


def _read_once(raw: Any, parsed: Any) -> Any:
    unread = getattr(raw, "_llm_observe_unread", None)
    if unread is not None:
        unread.read(parsed)
    return parsed

"""The taps: timing, streaming and error capture, once for every vendor that has one request door."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llm_observe._call import CANCELLED, SUCCESS
from llm_observe._guard import swallow
from llm_observe._providers import anthropic as anthropic_provider
from llm_observe._providers import openai as openai_provider
from llm_observe._runtime import get_runtime, submit
from llm_observe._taps import Held, atap, fail, tap
from llm_observe._wrap_gemini import tap_gemini, untap_gemini

if TYPE_CHECKING:
    from llm_observe._call import Call
    from llm_observe._providers import Provider

_Client = TypeVar("_Client")
_DOORS: Final[dict[tuple[str, str], Provider]] = {
    **{
        ("openai", f"{kind}{azure}OpenAI"): openai_provider
        for kind in ("", "Async")
        for azure in ("", "Azure")
    },
    **{("anthropic", f"{kind}Anthropic"): anthropic_provider for kind in ("", "Async")},
}
"""Package and class of every client with one request door."""
_MARK: Final = "_llm_observe_tap"


def wrap_client(client: _Client) -> _Client:
    """Put the tap on a client, once.

    Raises:
        TypeError: The client is of a kind that is not supported.
    """
    names = {(kind.__module__.split(".")[0], kind.__name__) for kind in type(client).__mro__}
    provider = next((_DOORS[name] for name in names if name in _DOORS), None)
    if provider is not None:
        if not hasattr(client, _MARK):
            _tap(client, provider)
    elif names & {("google", "Client"), ("google", "AsyncClient")}:
        tap_gemini(client)
    else:
        raise TypeError(f"llm_observe.wrap() does not know clients of type {type(client).__name__}")
    return client


def unwrap_client(client: _Client) -> _Client:
    """Take the tap off a client; one without a tap is left alone."""
    if hasattr(client, _MARK):
        for name in ("request", "copy", "with_options", _MARK):
            delattr(client, name)
    elif any(kind.__module__.startswith("google.genai") for kind in type(client).__mro__):
        untap_gemini(client)
    return client


def _tap(client: Any, provider: Provider) -> None:
    original = client.request
    client.request = (
        _async_door(original, provider)
        if inspect.iscoroutinefunction(original)
        else _sync_door(original, provider)
    )
    setattr(client, _MARK, provider)
    _tap_copies(client)


def _tap_copies(client: Any) -> None:
    """A copy is a new client without our tap, so copies are wrapped as they are made."""
    original = client.copy

    def copy(*args: Any, **kwargs: Any) -> Any:
        return wrap_client(original(*args, **kwargs))

    client.copy = client.with_options = copy


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


def _sync_door(original: Any, provider: Provider) -> Any:
    def request(cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        call, options, hide = _begin(provider, options, stream=stream)
        if call is None:
            return original(cast_to, options, stream=stream, stream_cls=stream_cls)
        try:
            response = original(cast_to, options, stream=stream, stream_cls=stream_cls)
        except BaseException as error:
            fail(provider, call, error)
            raise
        return _settle(provider, call, response, hide=hide)

    return request


def _async_door(original: Any, provider: Provider) -> Any:
    async def request(cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        call, options, hide = _begin(provider, options, stream=stream)
        if call is None:
            return await original(cast_to, options, stream=stream, stream_cls=stream_cls)
        try:
            response = await original(cast_to, options, stream=stream, stream_cls=stream_cls)
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


def _tap_stream(provider: Provider, call: Call, stream: Any, *, hide: bool) -> None:
    iterator = stream._iterator  # noqa: SLF001 - both iteration paths of a vendor's stream read it
    put = atap if hasattr(iterator, "__anext__") else tap
    stream._iterator = put(iterator, provider, call, hide=hide)  # noqa: SLF001 - as above
    stream._llm_observe_call = call  # noqa: SLF001 - ours
    stream.__class__ = _closing_class(_kind_of(stream))


def _settle_raw(provider: Provider, call: Call, raw: Any, *, hide: bool) -> None:
    """A raw response: what it parses to tells the rest, whenever the application asks for it.

    One whose body is here already is read now; parse() caches, so the application pays nothing twice.
    """
    original = raw.parse
    if not call.streamed and not inspect.iscoroutinefunction(original) and raw.http_response.is_closed:
        provider.read_response(original(), call)
        call.finish()
        return
    raw._llm_observe_held = Held(call, SUCCESS)  # noqa: SLF001 - ours

    def note(parsed: Any) -> Any:
        return _settle(provider, call, parsed, hide=hide)

    if inspect.iscoroutinefunction(original):

        async def aparse(**options: Any) -> Any:
            return note(await original(**options))

        raw.parse = aparse
        return

    def parse(**options: Any) -> Any:
        return note(original(**options))

    raw.parse = parse


def _kind_of(response: Any) -> Any:
    """Return the type, typed as a key of the caches: mypy takes type[Any] for unhashable."""
    return type(response)


@functools.cache
def _closing_class(kind: Any) -> type:
    """Return a subclass whose close() ends the call.

    A patched attribute would make a reference cycle, and an abandoned stream would then hold its
    connection until the collector runs.
    """
    if inspect.iscoroutinefunction(kind.close):

        async def aclose(self: Any) -> None:
            self._llm_observe_call.finish(CANCELLED)
            await kind.close(self)

        members: dict[str, Any] = {"close": aclose}
    else:

        def close(self: Any) -> None:
            self._llm_observe_call.finish(CANCELLED)
            kind.close(self)

        members = {"close": close}
    return type(kind.__name__, (kind,), {**members, "__module__": kind.__module__, "__doc__": kind.__doc__})

"""The taps: timing, streaming and error capture, once for every vendor that has one request door."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llm_observe._call import CANCELLED, ERROR, Call
from llm_observe._guard import guarded
from llm_observe._providers import openai as openai_provider
from llm_observe._runtime import get_runtime, submit

if TYPE_CHECKING:
    from llm_observe._providers import Provider

_Client = TypeVar("_Client")
_OPENAI_CLASSES: Final = frozenset({"OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI"})
_MARK: Final = "_llm_observe_tap"
_LEFT: Final = (GeneratorExit, KeyboardInterrupt, SystemExit, asyncio.CancelledError)


def wrap_client(client: _Client) -> _Client:
    """Put the tap on a client, once."""
    provider = _provider_of(client)
    if not hasattr(client, _MARK):
        _tap(client, provider)
    return client


def _provider_of(client: object) -> Provider:
    for kind in type(client).__mro__:
        if kind.__module__.split(".")[0] == "openai" and kind.__name__ in _OPENAI_CLASSES:
            return openai_provider
    raise TypeError(f"llm_observe.wrap() does not know clients of type {type(client).__name__}")


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
    with guarded("describe"):
        call = provider.describe(options, stream=stream, sink=submit)
        if call is not None and stream:
            wish = get_runtime().config.request_stream_usage
            options, hide = provider.prepare(options, request_stream_usage=wish)
    return call, options, hide


def _sync_door(original: Any, provider: Provider) -> Any:
    def request(cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        call, options, hide = _begin(provider, options, stream=stream)
        if call is None:
            return original(cast_to, options, stream=stream, stream_cls=stream_cls)
        try:
            response = original(cast_to, options, stream=stream, stream_cls=stream_cls)
        except BaseException as error:
            _fail(provider, call, error)
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
            _fail(provider, call, error)
            raise
        return _settle(provider, call, response, hide=hide)

    return request


def _settle(provider: Provider, call: Call, response: Any, *, hide: bool) -> Any:
    """Close a plain call, or put the tap on its stream. The response stays the same object."""
    with guarded("settle"):
        iterator = getattr(response, "_iterator", None)
        if call.streamed and iterator is not None:
            tap = _AsyncTap if hasattr(iterator, "__anext__") else _SyncTap
            response._iterator = tap(iterator, provider, call, hide=hide)  # noqa: SLF001 - both iteration paths of a vendor stream read it
            response.__class__ = _closing_class(_kind_of(response))
        else:
            if hasattr(response, "choices"):
                provider.read_response(response, call)
            call.finish()
    return response


def _kind_of(response: Any) -> Any:
    return type(response)


@functools.cache
def _closing_class(kind: Any) -> type:
    """Return a subclass whose close() ends the call.

    A patched attribute would make a reference cycle, and an abandoned stream would then hold its
    connection until the collector runs.
    """
    if inspect.iscoroutinefunction(kind.close):

        async def aclose(self: Any) -> None:
            self._iterator.leave()
            await kind.close(self)

        members: dict[str, Any] = {"close": aclose}
    else:

        def close(self: Any) -> None:
            self._iterator.leave()
            kind.close(self)

        members = {"close": close}
    return type(kind.__name__, (kind,), {**members, "__module__": kind.__module__, "__doc__": kind.__doc__})


def _fail(provider: Provider, call: Call, error: BaseException) -> None:
    with guarded("read_error"):
        if isinstance(error, _LEFT):
            call.finish(CANCELLED)
        else:
            provider.read_error(error, call)
            call.finish(ERROR)


class _Tap:
    """Reads a stream as it passes by; whatever ends it makes exactly one log."""

    __slots__ = ("_call", "_hide", "_inner", "_provider")

    def __init__(self, inner: Any, provider: Provider, call: Call, *, hide: bool) -> None:
        self._inner = inner
        self._provider = provider
        self._call = call
        self._hide = hide

    def _read(self, chunk: Any) -> bool:
        """Note the chunk; True when the application must not see it."""
        with guarded("read_chunk"):
            return self._provider.read_chunk(chunk, self._call) and self._hide
        return False

    def _end(self, error: BaseException) -> None:
        if isinstance(error, StopIteration | StopAsyncIteration):
            self._call.finish()
        else:
            _fail(self._provider, self._call, error)

    def leave(self) -> None:
        """Note that the application left before the end."""
        self._call.finish(CANCELLED)

    __del__ = leave


class _SyncTap(_Tap):
    __slots__ = ()

    def __iter__(self) -> _SyncTap:
        return self

    def __next__(self) -> Any:
        try:
            chunk = next(self._inner)
            while self._read(chunk):
                chunk = next(self._inner)
        except BaseException as error:
            self._end(error)
            raise
        return chunk

    def close(self) -> None:
        """Close the vendor's generator, as leaving it early would."""
        self.leave()
        self._inner.close()


class _AsyncTap(_Tap):
    __slots__ = ()

    def __aiter__(self) -> _AsyncTap:
        return self

    async def __anext__(self) -> Any:
        try:
            chunk = await anext(self._inner)
            while self._read(chunk):
                chunk = await anext(self._inner)
        except BaseException as error:
            self._end(error)
            raise
        return chunk

    async def aclose(self) -> None:
        """Close the vendor's generator, as leaving it early would."""
        self.leave()
        await self._inner.aclose()

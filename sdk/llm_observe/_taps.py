"""Stream taps: read a vendor's stream as it passes by; whatever ends it makes exactly one log.

Generators, since they cost the application's thread least for each chunk. A generator that is dropped before
its first step, or held until the process exits, runs nothing of its body, so a finalizer stands behind each.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Final

from llm_observe._call import CANCELLED, ERROR, Call
from llm_observe._guard import guarded, swallow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from llm_observe._providers import Reader

_LEFT: Final = (GeneratorExit, KeyboardInterrupt, SystemExit, asyncio.CancelledError)


def fail(provider: Reader, call: Call, error: BaseException) -> None:
    """Close a call that ended in an error, or that the application left."""
    with guarded("read_error"):
        if isinstance(error, _LEFT):
            call.finish(CANCELLED)
        else:
            provider.read_error(error, call)
            call.finish(ERROR)


def tap(inner: Iterator[Any], provider: Reader, call: Call, *, hide: bool) -> Iterator[Any]:
    """Return a stream that is read as it passes by; ``hide`` keeps pure usage chunks from the application."""
    stream = _pass(inner, provider, call, hide=hide)
    _finish_when_dropped(stream, call)
    return stream


def atap(inner: AsyncIterator[Any], provider: Reader, call: Call, *, hide: bool) -> AsyncIterator[Any]:
    """As tap(), for an asynchronous stream."""
    stream = _apass(inner, provider, call, hide=hide)
    _finish_when_dropped(stream, call)
    return stream


def _finish_when_dropped(stream: object, call: Call) -> None:
    weakref.finalize(stream, call.finish, CANCELLED)


def _pass(inner: Iterator[Any], provider: Reader, call: Call, *, hide: bool) -> Iterator[Any]:
    read = provider.read_chunk
    try:
        for chunk in inner:
            try:
                only_usage = read(chunk, call)
            except Exception as error:  # noqa: BLE001 - a fault of ours never reaches the application
                only_usage = swallow("read_chunk", error)
            if only_usage and hide:
                continue
            yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()


async def _apass(
    inner: AsyncIterator[Any], provider: Reader, call: Call, *, hide: bool
) -> AsyncIterator[Any]:
    read = provider.read_chunk
    try:
        async for chunk in inner:
            try:
                only_usage = read(chunk, call)
            except Exception as error:  # noqa: BLE001 - as above
                only_usage = swallow("read_chunk", error)
            if only_usage and hide:
                continue
            yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()

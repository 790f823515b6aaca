"""Stream taps: read a vendor's stream while the application does. However a stream ends, it makes one log.

The taps are generators, which cost the application's thread the least per chunk.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llm_observe._background import take_all
from llm_observe._call import CANCELLED, ERROR, Call
from llm_observe._guard import guarded, swallow
from llm_observe._values import KEPT_TEXT_CHARS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from llm_observe._call import TextOf
    from llm_observe._providers import Reader
    from llm_observe._vendor import VendorObject

_open_streams: set[Call] = set()
"""The calls of streams that have not ended."""


def _leave_to_parent() -> None:
    """In a forked child: the parent logs the streams that it has open, not the child."""
    for call in _open_streams:
        call.finished = True
    _open_streams.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def fail(provider: Reader, call: Call, error: BaseException) -> None:
    """End a call that raised an error or was cancelled."""
    # That a response in the background could not be asked for is no failure of the response.
    if call.background_id or _is_cancellation(error):
        call.finish(CANCELLED)
        return
    with guarded("read_error"):
        provider.read_error(error, call)
    call.finish(ERROR)


def _is_cancellation(error: BaseException) -> bool:
    """Return whether an error says that the call is not wanted any more.

    By their nature, such errors are no Exceptions: asyncio's and trio's cancellation, gevent's GreenletExit,
    GeneratorExit, KeyboardInterrupt. The time-outs of gevent and eventlet are no Exceptions either.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    return "CancelledError" in names or (not isinstance(error, Exception) and "Timeout" not in names)


def end_open_calls() -> None:
    """End the calls whose answers are not complete when the process exits."""
    for call in list(_open_streams):
        call.finish(CANCELLED)
    _open_streams.clear()
    for call in take_all():
        call.abandon()


class StreamFinalizer:
    """Ends a call when its stream is garbage-collected.

    A generator that is dropped before its first step runs none of its own body.
    """

    __slots__ = ("_call", "_outcome")

    def __init__(self, call: Call, outcome: int = CANCELLED) -> None:
        self._call: Call | None = call
        self._outcome = outcome
        _open_streams.add(call)

    def release(self) -> None:
        """Do not end the call: something else will."""
        if self._call is not None:
            _open_streams.discard(self._call)
            self._call = None

    def __del__(self, _discard: Callable[[Call], None] = _open_streams.discard) -> None:
        # An argument, not a global: globals may be gone when an object is collected at interpreter exit.
        if self._call is not None:
            _discard(self._call)
            self._call.finish(self._outcome)


def tap(
    inner: Iterator[VendorObject], provider: Reader, call: Call, *, hide: bool = False
) -> Iterator[VendorObject]:
    """Return the stream, recorded while it is read. ``hide`` drops chunks that carry nothing but usage."""
    if call.text_of is None:
        return _pass(inner, provider, call, StreamFinalizer(call), hide=hide)
    return _pass_text(inner, provider, call, StreamFinalizer(call), hide=hide, text_of=call.text_of)


def atap(
    inner: AsyncIterator[VendorObject], provider: Reader, call: Call, *, hide: bool = False
) -> AsyncGenerator[VendorObject, None]:
    """Like tap(), for an asynchronous stream."""
    if call.text_of is None:
        return _apass(inner, provider, call, StreamFinalizer(call), hide=hide)
    return _apass_text(inner, provider, call, StreamFinalizer(call), hide=hide, text_of=call.text_of)


def _read(provider: Reader, chunk: VendorObject, call: Call) -> bool:
    try:
        return provider.read_chunk(chunk, call)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        call.needs_end = False  # the end may have been in the chunk
        return swallow("read_chunk", error)


def _pass(
    inner: Iterator[VendorObject], provider: Reader, call: Call, finalizer: StreamFinalizer, *, hide: bool
) -> Iterator[VendorObject]:
    try:
        for chunk in inner:
            if not (_read(provider, chunk, call) and hide):
                yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()
    del finalizer


async def _apass(
    inner: AsyncIterator[VendorObject],
    provider: Reader,
    call: Call,
    finalizer: StreamFinalizer,
    *,
    hide: bool,
) -> AsyncGenerator[VendorObject, None]:
    try:
        async for chunk in inner:
            if not (_read(provider, chunk, call) and hide):
                yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()
    del finalizer


# The two below do the same as the two above, for streams in which nearly every chunk has nothing but text. A
# text is then all that is read of a chunk: each attribute more is a miss of the CPU's cache.


def _pass_text(
    inner: Iterator[VendorObject],
    provider: Reader,
    call: Call,
    finalizer: StreamFinalizer,
    *,
    hide: bool,
    text_of: TextOf,
) -> Iterator[VendorObject]:
    append, room, begun = call.output_chunks.append, 0, False
    try:
        for chunk in inner:
            try:
                text = text_of(chunk)
                if text and room > 0:
                    room -= len(text)
                    append(text if room >= 0 else text[:room])
            except Exception:  # noqa: BLE001 - a chunk of another shape is read below
                text = None
            if begun and text:
                call.last_chunk = chunk  # some servers send usage and the finish reason with the text
            elif _read(provider, chunk, call):
                if hide:
                    continue
            elif not begun and call.ttft_ns is not None:
                begun, room = True, KEPT_TEXT_CHARS - call.output_chars
            yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()
    del finalizer


async def _apass_text(
    inner: AsyncIterator[VendorObject],
    provider: Reader,
    call: Call,
    finalizer: StreamFinalizer,
    *,
    hide: bool,
    text_of: TextOf,
) -> AsyncGenerator[VendorObject, None]:
    append, room, begun = call.output_chunks.append, 0, False
    try:
        async for chunk in inner:
            try:
                text = text_of(chunk)
                if text and room > 0:
                    room -= len(text)
                    append(text if room >= 0 else text[:room])
            except Exception:  # noqa: BLE001 - as above
                text = None
            if begun and text:
                call.last_chunk = chunk  # some servers send usage and the finish reason with the text
            elif _read(provider, chunk, call):
                if hide:
                    continue
            elif not begun and call.ttft_ns is not None:
                begun, room = True, KEPT_TEXT_CHARS - call.output_chars
            yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()
    del finalizer

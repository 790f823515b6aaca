"""Stream taps: read a vendor's stream as it passes by; whatever ends it makes exactly one log.

Generators, since they cost the application's thread least for each chunk.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from llm_observe._call import CANCELLED, ERROR, KEPT_TEXT_CHARS, Call
from llm_observe._guard import attempt, guarded, swallow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from llm_observe._providers import Reader

_CANCELLATIONS: Final = (GeneratorExit, KeyboardInterrupt, SystemExit)

_open_streams: set[Call] = set()
"""Streams that have not ended, held by the application or forgotten by it."""


def _leave_to_parent() -> None:
    """In a forked child: what the parent has open is the parent's to log, whatever the child does to it."""
    for call in _open_streams:
        call.finished = True
    _open_streams.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def fail(provider: Reader, call: Call, error: BaseException) -> None:
    """Close a call that ended in an error, or that the application left."""
    if isinstance(error, _CANCELLATIONS) or _is_cancelled(error):
        call.finish(CANCELLED)
        return
    with guarded("read_error"):
        provider.read_error(error, call)
    call.finish(ERROR)


def _is_cancelled(error: BaseException) -> bool:
    # asyncio takes longer to import than all of ours; an application that cancels has it.
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def cancel_open_streams() -> None:
    """Close the calls of streams that are held until the process exits."""
    for call in list(_open_streams):
        call.finish(CANCELLED)
    _open_streams.clear()


class StreamFinalizer:
    """Ends a call when the last reference to what stands for it goes.

    A generator that is dropped before its first step runs nothing of its own body.
    """

    __slots__ = ("_call", "_outcome")

    def __init__(self, call: Call, outcome: int = CANCELLED) -> None:
        self._call: Call | None = call
        self._outcome = outcome
        _open_streams.add(call)

    def release(self) -> None:
        """Leave the call to what ends it instead."""
        if self._call is not None:
            _open_streams.discard(self._call)
            self._call = None

    def __del__(self, _discard: Callable[[Call], None] = _open_streams.discard) -> None:
        # A default, not a global: those are gone when what is held until the very end is collected.
        if self._call is not None:
            _discard(self._call)
            self._call.finish(self._outcome)


def tap(inner: Iterator[Any], provider: Reader, call: Call, *, hide: bool = False) -> Iterator[Any]:
    """Return a stream that is read as it passes by; ``hide`` keeps pure usage chunks from the application."""
    passing = _pass_deltas if call.has_deltas else _pass
    return passing(inner, provider, call, StreamFinalizer(call), hide=hide)


def atap(
    inner: AsyncIterator[Any], provider: Reader, call: Call, *, hide: bool = False
) -> AsyncIterator[Any]:
    """As tap(), for an asynchronous stream."""
    passing = _apass_deltas if call.has_deltas else _apass
    return passing(inner, provider, call, StreamFinalizer(call), hide=hide)


def _read(provider: Reader, chunk: Any, call: Call) -> bool:
    try:
        return provider.read_chunk(chunk, call)
    except Exception as error:  # noqa: BLE001 - a fault of ours never reaches the application
        return swallow("read_chunk", error)


def _pass(
    inner: Iterator[Any], provider: Reader, call: Call, finalizer: StreamFinalizer, *, hide: bool
) -> Iterator[Any]:
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
    inner: AsyncIterator[Any], provider: Reader, call: Call, finalizer: StreamFinalizer, *, hide: bool
) -> AsyncIterator[Any]:
    try:
        async for chunk in inner:
            if not (_read(provider, chunk, call) and hide):
                yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    call.finish()
    del finalizer


# The two below do as the two above, for streams whose chunks are nearly all ``choices[0].delta.content``.
# Each name looked up in a chunk costs the application cold memory accesses, so these look up no other.


def _pass_deltas(
    inner: Iterator[Any], provider: Reader, call: Call, finalizer: StreamFinalizer, *, hide: bool
) -> Iterator[Any]:
    append, room, last, begun = call.output_pieces.append, 0, None, False
    try:
        for chunk in inner:
            try:
                text = chunk.choices[0].delta.content
                if text and room > 0:
                    room -= len(text)
                    append(text)
            except Exception:  # noqa: BLE001 - a chunk of another shape is read below
                text = None
            if begun and text:
                last = chunk
            elif _read(provider, chunk, call):
                if hide:
                    continue
            else:
                begun = call.ttft_ns is not None
                room = KEPT_TEXT_CHARS - call.output_chars if begun else 0
            yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    _end_deltas(last, call)
    del finalizer


async def _apass_deltas(
    inner: AsyncIterator[Any], provider: Reader, call: Call, finalizer: StreamFinalizer, *, hide: bool
) -> AsyncIterator[Any]:
    append, room, last, begun = call.output_pieces.append, 0, None, False
    try:
        async for chunk in inner:
            try:
                text = chunk.choices[0].delta.content
                if text and room > 0:
                    room -= len(text)
                    append(text)
            except Exception:  # noqa: BLE001 - as above
                text = None
            if begun and text:
                last = chunk
            elif _read(provider, chunk, call):
                if hide:
                    continue
            else:
                begun = call.ttft_ns is not None
                room = KEPT_TEXT_CHARS - call.output_chars if begun else 0
            yield chunk
    except BaseException as error:
        fail(provider, call, error)
        raise
    _end_deltas(last, call)
    del finalizer


def _end_deltas(last: Any, call: Call) -> None:
    """Close a call; some servers tell the reason with the last text."""
    if last is not None and not call.finish_reason:
        attempt("read_reason", _note_reason, last, call)
    call.finish()


def _note_reason(last: Any, call: Call) -> None:
    call.finish_reason = last.choices[0].finish_reason or ""

"""However a stream ends, its call is ended: completely read, failed, cancelled, dropped or open at exit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llm_observe._background import take_all
from llm_observe._call import CANCELLED, ERROR, Call
from llm_observe._guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._providers import Reader

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
    if call.finished:  # it may be in the sender's hands
        return
    outcome = CANCELLED
    try:
        # That a response in the background could not be asked for is no failure of the response.
        if not call.background_id and not _is_cancellation(error):
            outcome = ERROR
            with guarded("read_error"):
                provider.read_error(error, call)
    finally:  # an interrupt costs no log, and an error's properties may be the application's code
        call.finish(outcome)


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

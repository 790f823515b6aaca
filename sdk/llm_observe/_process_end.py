"""Flushes once when the process ends: at a normal exit, on SIGTERM, and at the end of a worker process."""

from __future__ import annotations

import atexit
import functools
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object] | int | None

_set_handler: Final = signal.signal
"""The original, where the application calls _set_handler_or_flush()."""


class _End:
    """The end of one process. A forked child has one of its own."""

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._pid = 0
        """The process that has begun to end."""
        self._is_flushing = False
        self._signal = 0
        """A signal that came meanwhile."""

    def run(self) -> None:
        """Flush, unless it has been done. A signal that comes meanwhile takes effect afterwards."""
        if self._pid == os.getpid():
            return
        self._pid, self._is_flushing, self._signal = os.getpid(), True, 0
        _take_default_sigterm()
        try:
            self._flush()
        finally:
            self._is_flushing = False
            if self._signal:
                _die(self._signal)

    def on_signal(self, number: int) -> None:
        """Flush and die. The handler may interrupt the thread that flushes already: then wait for it."""
        if self._is_flushing and self._pid == os.getpid():
            self._signal = number
            return
        self.run()
        _die(number)


_end: _End | None = None


def flush_at_end(flush: Callable[[], None]) -> None:
    """Set the function that flushes. It must return within a bound and not raise."""
    global _end  # noqa: PLW0603 - a process ends once
    _end = _End(flush)
    atexit.register(_end.run)


def watch_sigterm() -> None:
    """Flush when SIGTERM is about to kill the process, now or when its default handler is restored.

    An application that handles the signal keeps its handler. But servers (uvicorn) restore the default when
    they have stopped, and send themselves the signal again.
    """
    if signal.signal is _set_handler:
        signal.signal = _set_handler_or_flush
    _take_default_sigterm()


@functools.wraps(_set_handler)
def _set_handler_or_flush(signalnum: int, handler: Handler) -> Handler:
    is_default = signalnum == signal.SIGTERM and handler is signal.SIG_DFL
    return _set_handler(signalnum, _on_sigterm if is_default else handler)


def _take_default_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may set a handler
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        _set_handler(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, _frame: object) -> None:
    if _end is not None:
        _end.on_signal(number)


def _die(number: int) -> None:
    _set_handler(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def watch_worker() -> None:
    """Flush at the end of a multiprocessing worker, which exits by os._exit() and runs no atexit handler.

    Only modules that are already loaded are checked: such a worker has loaded them. Celery's processes are of
    its own copy, billiard; those of its pool run none of its finalizers, but send a signal of Celery's.
    """
    for name in ("multiprocessing", "billiard"):
        process, util = sys.modules.get(f"{name}.process"), sys.modules.get(f"{name}.util")
        is_worker = process is not None and process.current_process().name != "MainProcess"
        if is_worker and util is not None and _end is not None:
            util.Finalize(None, _end.run, exitpriority=0)
    celery = sys.modules.get("celery.signals")
    if celery is not None:
        celery.worker_process_shutdown.connect(_on_celery_shutdown, weak=False)


def _on_celery_shutdown(**_: object) -> None:
    if _end is not None:
        _end.run()

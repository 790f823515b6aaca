"""Keeps calls over gRPC and forks apart.

A child that is forked while a thread of its parent is inside gRPC inherits locks that nobody will release,
and could never send anything. So a fork waits until the calls have ended, interrupts those that take long,
and none begins until it is done.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FINISH_S: Final = 0.5
"""How long a fork waits for calls to end by themselves. They take longer only if no collector answers."""
_MAX_WAIT_S: Final = 5.0
"""How long a fork waits for interrupted calls, and a call for a fork. Both take milliseconds."""
_INTERRUPT_AGAIN_S: Final = 0.05
_MAX_INTERRUPTS: Final = int(_MAX_WAIT_S / _INTERRUPT_AGAIN_S)


class ForkBarrier:
    """Lets either calls or forks through.

    Args:
        interrupt: A method that makes calls in flight end early; kept by a weak reference. It may be called
            several times, also before the call that it is meant for has reached the network.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = weakref.WeakMethod(interrupt)
        self._reset()
        if hasattr(os, "register_at_fork"):
            before, resume, reset = map(weakref.WeakMethod, (self._before_fork, self._resume, self._reset))
            os.register_at_fork(
                before=lambda: (method := before()) and method(),
                after_in_parent=lambda: (method := resume()) and method(),
                after_in_child=lambda: (method := reset()) and method(),
            )

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._calls = 0
        self._forks = 0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Make a call in the block, once no fork is under way."""
        with self._changed:
            self._changed.wait_for(lambda: not self._forks, _MAX_WAIT_S)
            self._calls += 1
        try:
            yield
        finally:
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    def _before_fork(self) -> None:
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: not self._calls, _FINISH_S)
            for _ in range(_MAX_INTERRUPTS):  # not by the clock, which tests of applications stop
                if not self._calls:
                    return
                self._interrupt_calls()
                self._changed.wait(_INTERRUPT_AGAIN_S)

    def _interrupt_calls(self) -> None:
        interrupt = self._interrupt()
        if interrupt is not None:
            interrupt()

    def _resume(self) -> None:
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()

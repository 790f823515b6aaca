"""Wakes the sender's thread, from wherever a call may end."""

from __future__ import annotations

import threading
from contextlib import suppress


class WakeUp:
    """Like threading.Event, for one thread that waits, which takes what was set.

    A signal handler or a finalizer may call any of its methods while the same thread is inside one, where
    threading.Event would wait for its own lock for ever: each is one operation on a lock.
    """

    def __init__(self) -> None:
        self._unset = threading.Lock()
        """Held while it is not set."""
        self._unset.acquire()
        self.is_unset = self._unset.locked
        """Returns whether the next wait() would block."""

    def set(self) -> None:
        """Wake the thread that waits, or the next one."""
        with suppress(RuntimeError):  # it was set
            self._unset.release()

    def clear(self) -> None:
        """Take back what was set."""
        self._unset.acquire(blocking=False)

    def wait(self, timeout_s: float = threading.TIMEOUT_MAX) -> None:
        """Wait until it is set, at most timeout_s seconds."""
        self._unset.acquire(timeout=min(max(0.0, timeout_s), threading.TIMEOUT_MAX))

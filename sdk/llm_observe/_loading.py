"""Loads modules in a thread, while a fork waits.

A child that is forked while a thread of its parent imports a module can never import it: the module's lock is
held by a thread that the child does not have.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_WAIT_S: Final = 60.0
"""How long a fork waits at most: the thread may itself wait for the thread that forks."""
_lock = threading.Lock()
_fork = threading.local()
"""Whether this thread, which forks, holds the lock."""


@contextmanager
def forks_wait() -> Iterator[None]:
    """Let forks wait until the block has been left."""
    with _lock:
        yield


def _before_fork() -> None:
    _fork.holds_lock = _lock.acquire(timeout=_MAX_WAIT_S)


def _after_fork_in_parent() -> None:
    if _fork.holds_lock:
        _lock.release()


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603 - the parent's may be held by a thread of the parent
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )

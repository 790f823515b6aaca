"""Sends batches side by side when calls come faster than the collector answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Batch = TypeVar("Batch")


class Senders(Generic[Batch]):
    """Runs ``deliver`` in the calling thread or in threads beside it.

    Args:
        deliver: Sends a batch until it is settled. Never raises.
        most: How many batches may be on their way at once.
    """

    def __init__(self, deliver: Callable[[Batch], None], most: int) -> None:
        self._deliver = deliver
        self._free = threading.Semaphore(most - 1)

    def send(self, batch: Batch, *, beside: bool) -> None:
        """Send a batch; with ``beside``, return at once unless too many are on their way."""
        if not (beside and self._start(batch)):
            self._deliver(batch)

    def _start(self, batch: Batch) -> bool:
        if not self._free.acquire(blocking=False):
            return False
        try:
            threading.Thread(target=self._run, args=(batch,), name="llm-observe-batch", daemon=True).start()
        except RuntimeError:  # no thread can be started
            self._free.release()
            return False
        return True

    def _run(self, batch: Batch) -> None:
        try:
            self._deliver(batch)
        finally:
            self._free.release()

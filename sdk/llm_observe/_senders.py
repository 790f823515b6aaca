"""Sends batches side by side when calls come faster than the collector answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._batch_kind import Request


class Senders:
    """Runs ``deliver`` in the calling thread or, while more batches wait, in threads beside it.

    Args:
        deliver: Sends a batch until it is settled. Never raises.
        most: How many batches may be on their way at once.
    """

    def __init__(self, deliver: Callable[[Request], None], most: int) -> None:
        self._deliver = deliver
        self._free = threading.Semaphore(most - 1)

    def send(self, request: Request, *, more_wait: bool) -> None:
        """Send a batch; return at once if more wait and another may be on its way."""
        if not (more_wait and self._start(request)):
            self._deliver(request)

    def _start(self, request: Request) -> bool:
        if not self._free.acquire(blocking=False):
            return False
        try:
            threading.Thread(target=self._run, args=(request,), name="llm-observe-batch", daemon=True).start()
        except RuntimeError:  # no thread can be started
            self._free.release()
            return False
        return True

    def _run(self, request: Request) -> None:
        try:
            self._deliver(request)
        finally:
            self._free.release()

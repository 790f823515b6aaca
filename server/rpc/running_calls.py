"""The calls in flight, so that a server that stops tells each of them why it ends."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from server.rpc.errors import ShuttingDown

if TYPE_CHECKING:
    from collections.abc import Iterator


class ClientLeft(asyncio.CancelledError):
    """Nobody is there who could be told how the call ends."""


class RunningCalls:
    """The tasks that serve calls."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._stopping = False

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the current task while the context lasts."""
        task = asyncio.current_task()
        assert task is not None, "calls are served by tasks"  # noqa: S101 - narrows the type
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    def stop(self) -> None:
        """End every call with SHUTTING_DOWN."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    def explain(self, cancellation: asyncio.CancelledError) -> BaseException:
        """Return the error for the client of the current call, which was cancelled.

        Raises:
            asyncio.CancelledError: The client has left.
        """
        task = asyncio.current_task()
        if self._stopping and task is not None:
            task.uncancel()
            return ShuttingDown()
        if isinstance(cancellation, ClientLeft) or (task is not None and task.cancelling()):
            raise cancellation
        return cancellation  # of something that the call awaits

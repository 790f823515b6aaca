"""The real worker in this process: starting a process takes a second, and longer on a busy machine.

Tests that kill a worker start one with tests.support.processes.start_worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.support.processes import queue_env
from worker.app import run_worker
from worker.queue.settings import QueueSettings


@asynccontextmanager
async def running_worker(database_url: str, queue: QueueSettings) -> AsyncIterator[None]:
    """Work a test's queue while the context lasts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in queue_env(database_url, queue).items():
            patch.setenv(name, value)
        # Signals are pytest's here.
        patch.setattr(asyncio.get_running_loop(), "add_signal_handler", lambda *_: None)
        task = asyncio.create_task(run_worker())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

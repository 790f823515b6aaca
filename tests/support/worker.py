"""The real worker in this process: starting a process takes a second, and longer on a busy machine.

Tests that kill a worker start one with tests.support.processes.start_worker.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tests.support.processes import queue_env
from worker.app import run_worker
from worker.queue.settings import QueueSettings


@asynccontextmanager
async def running_worker(
    database_url: str, queue: QueueSettings, *, lake_url: str = ""
) -> AsyncIterator[None]:
    """Run a worker on a test's queue while the context lasts; it exports where there is a lake."""
    with pytest.MonkeyPatch.context() as patch:
        env = {**queue_env(database_url, queue), "LLM_OBSERVE_LAKE_URL": lake_url}
        for name, value in env.items():
            patch.setenv(name, value)
        # pytest handles signals here, so the worker's handler is kept and called at the end.
        handlers: dict[int, Callable[[], object]] = {}
        patch.setattr(asyncio.get_running_loop(), "add_signal_handler", handlers.__setitem__)
        task = asyncio.create_task(run_worker())
        try:
            yield
        finally:
            stop = handlers.get(signal.SIGTERM, task.cancel)
            stop()
            with suppress(asyncio.CancelledError):
                await task

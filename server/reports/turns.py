"""Lets few questions at a time hold logs in memory, and each project one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from server.rpc.errors import ServerIsBusy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Turns:
    """Whose question is answered next.

    Args:
        count: Questions at a time.
        timeout_s: Longest that one waits for others, in seconds.
    """

    def __init__(self, count: int, timeout_s: float) -> None:
        self._free = asyncio.Semaphore(count)
        self._timeout_s = timeout_s
        self._projects: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, project_id: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it while the context lasts.

        Raises:
            ServerIsBusy: Others took too long.
        """
        project = self._projects.setdefault(project_id, asyncio.Lock())
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._acquire(project)
        except TimeoutError as error:
            raise ServerIsBusy("other questions are being answered; retry later") from error
        try:
            yield
        finally:
            self._free.release()
            project.release()

    async def _acquire(self, project: asyncio.Lock) -> None:
        await project.acquire()
        try:
            await self._free.acquire()
        except BaseException:
            project.release()
            raise

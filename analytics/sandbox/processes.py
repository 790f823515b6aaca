"""Runs queries, each in a confined process of its own."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, Self

from analytics.sandbox.errors import QueryProcessesBusy, QueryProcessLost, SandboxError
from analytics.sandbox.host_process import HostLost, HostProcess, new_request_file
from analytics.sandbox.running_query import RunningQuery
from analytics.sandbox.wire import write_query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from typing import IO

    from analytics.sandbox.query import Part, Query
    from analytics.sandbox.settings import SandboxSettings

logger = logging.getLogger(__name__)

MAX_WAITING_PER_PROJECT: Final = 8
"""Further queries are refused at once."""


class QueryProcesses:
    """Up to ``LLM_OBSERVE_QUERY_PROCESSES`` queries at once, one at a time of each project.

    Use as an async context manager: ``async with QueryProcesses(settings) as processes``.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._free = asyncio.Semaphore(settings.processes)
        self._idle: list[HostProcess] = []
        self._projects: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()
        self._queries: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._idle.append(await HostProcess.start(self._settings.user))
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every query and every process."""
        for task in self._queries:
            task.cancel()
        await asyncio.gather(*self._queries, return_exceptions=True)
        while self._idle:
            await self._idle.pop().end()

    async def run(self, query: Query) -> AsyncGenerator[Part]:
        """Yield ``Columns``, then ``Chunk``s, then ``End``. Closing the iterator ends the query.

        The query does not wait for its reader: up to ``limits.bytes`` of the answer are kept for it.

        Raises:
            SandboxError: While iterating; its kind says why there is no answer, or no more of it.
        """
        parts: asyncio.Queue[Part | SandboxError | None] = asyncio.Queue()
        task = asyncio.create_task(self._run(query, parts))
        self._queries.add(task)
        task.add_done_callback(self._queries.discard)
        try:
            while (part := await parts.get()) is not None:
                if isinstance(part, SandboxError):
                    raise part
                yield part
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, query: Query, parts: asyncio.Queue[Part | SandboxError | None]) -> None:
        """Put the parts of the answer, or the error that ended it, then None."""
        try:
            async with self._turn(query.source.project_id):
                with new_request_file() as request:
                    await asyncio.to_thread(write_query, request, query)
                    await self._run_in_host(query, request, parts)
        except SandboxError as error:
            parts.put_nowait(error)
        except asyncio.CancelledError:
            parts.put_nowait(QueryProcessLost("The server stopped the query. Try again."))
            raise
        except Exception:
            logger.exception("query process could not be used")
            parts.put_nowait(QueryProcessLost("The query could not be started. Try again."))
        finally:
            parts.put_nowait(None)

    @asynccontextmanager
    async def _turn(self, project_id: str) -> AsyncIterator[None]:
        """Wait until the project has no other query and a process is free.

        Raises:
            QueryProcessesBusy: It takes too long.
        """
        if self._waiting[project_id] >= MAX_WAITING_PER_PROJECT:
            raise QueryProcessesBusy(
                "Too many queries of this project are waiting. Try again when they have ended."
            )
        lock = self._projects.setdefault(project_id, asyncio.Lock())
        self._waiting[project_id] += 1
        try:
            await self._acquire(lock)
            try:
                yield
            finally:
                self._free.release()
                lock.release()
        finally:
            self._waiting[project_id] -= 1
            if not self._waiting[project_id]:
                del self._waiting[project_id], self._projects[project_id]

    async def _acquire(self, lock: asyncio.Lock) -> None:
        try:
            async with asyncio.timeout(self._settings.queue_timeout_s):
                await lock.acquire()
                try:
                    await self._free.acquire()
                except BaseException:
                    lock.release()
                    raise
        except TimeoutError:
            raise QueryProcessesBusy("Other queries are running. Try again in a few seconds.") from None

    async def _run_in_host(
        self, query: Query, request: IO[bytes], parts: asyncio.Queue[Part | SandboxError | None]
    ) -> None:
        host = await self._take_host()
        try:
            await RunningQuery(host, query.limits, parts).run(request)
        except HostLost:
            raise QueryProcessLost("The process that ran the query has ended. Try again.") from None
        finally:
            await self._give_back(host)

    async def _take_host(self) -> HostProcess:
        while self._idle:
            host = self._idle.pop()
            if host.is_running:
                return host
            await host.end()
        return await HostProcess.start(self._settings.user)

    async def _give_back(self, host: HostProcess) -> None:
        if host.is_usable:
            self._idle.append(host)
        else:
            with suppress(ProcessLookupError):
                await asyncio.shield(host.end())

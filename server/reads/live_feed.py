"""One subscription to a project's live tail for all its callers here, fanned out without waiting for any."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from server.rpc.errors import QueueIsUnavailable, ShuttingDown
from worker.queue.live import listen_live

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llm_observe.v1.event_service_pb2 import WatchLogsResponse

    from server.rpc.errors import ApiError
    from worker.queue.broker import LogBroker

_MAX_WAITING_GROUPS: Final = 64
"""Groups of logs that may wait for a slow subscriber; it misses the rest."""
_START_TIMEOUT_S: Final = 1.5


class Subscriber:
    """One caller's groups of logs: those that wait for it, and how many logs it has missed."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[WatchLogsResponse | None] = asyncio.Queue(_MAX_WAITING_GROUPS)
        self._end: ApiError | None = None
        self.missed_count = 0

    def offer(self, group: WatchLogsResponse) -> None:
        """Take a group, or count it as missed."""
        self.missed_count += group.missed_count
        try:
            self._waiting.put_nowait(group)
        except asyncio.QueueFull:
            self.missed_count += len(group.logs)

    def end(self, error: ApiError) -> None:
        """Say that nothing will come any more, and why."""
        self._end = error
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait(None)

    async def next(self) -> WatchLogsResponse:
        """Return the next group.

        Raises:
            QueueIsUnavailable: The tail is interrupted.
            ShuttingDown: The server stops.
        """
        group = None if self._end and self._waiting.empty() else await self._waiting.get()
        if group is None:
            raise self._end or QueueIsUnavailable()
        return group


class LiveFeeds:
    """The feed of each project that somebody has watched."""

    def __init__(self, broker: LogBroker) -> None:
        self._broker = broker
        self._feeds: dict[str, LiveFeed] = {}

    def of(self, project_id: str) -> LiveFeed:
        """Return a project's feed."""
        return self._feeds.setdefault(project_id, LiveFeed(self._broker, project_id))

    async def stop(self) -> None:
        """Stop every feed; its subscribers are told."""
        await asyncio.gather(*(feed.stop() for feed in self._feeds.values()))


class LiveFeed:
    """Listens to a project's stored logs while it has subscribers."""

    def __init__(self, broker: LogBroker, project_id: str) -> None:
        self._broker = broker
        self._project_id = project_id
        self._subscribers: set[Subscriber] = set()
        self._listening: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Subscriber]:
        """Yield a subscriber that gets everything from now on.

        Raises:
            QueueIsUnavailable: Redis did not confirm the subscription within 1.5 seconds.
        """
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        try:
            await self._start()
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            if not self._subscribers:
                await self.stop()

    async def _start(self) -> None:
        ready = self._ready
        if ready is None or self._listening is None or self._listening.done():
            ready = self._ready = asyncio.get_running_loop().create_future()
            self._listening = asyncio.create_task(self._listen(ready), name="live-feed")
        try:
            await asyncio.wait_for(asyncio.shield(ready), _START_TIMEOUT_S)
        except TimeoutError:
            raise QueueIsUnavailable from None

    async def _listen(self, ready: asyncio.Future[None]) -> None:
        end: ApiError = QueueIsUnavailable()
        try:
            async with aclosing(listen_live(self._broker.stream, self._project_id)) as groups:
                # A subscription that hangs is dropped, or callers who keep trying would all wait for it.
                async with asyncio.timeout(_START_TIMEOUT_S):
                    await anext(groups)
                ready.set_result(None)
                async for group in groups:
                    for subscriber in self._subscribers:
                        subscriber.offer(group)
        except asyncio.CancelledError:
            end = ShuttingDown()  # it is stopped only then while it has subscribers
            raise
        except Exception:  # noqa: BLE001 - whatever interrupts it, the callers are told
            if not ready.done():
                ready.set_exception(QueueIsUnavailable())
        finally:
            # Where another task listens by now, the subscribers are its own.
            if self._listening in {None, asyncio.current_task()}:
                for subscriber in self._subscribers:
                    subscriber.end(end)

    async def stop(self) -> None:
        """Stop listening; the subscribers are told."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

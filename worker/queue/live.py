"""The live tail: workers publish what they stored, servers subscribe, by Redis pub/sub.

Publishing never delays a writer: it runs beside it, a group of logs at a time, and what does not fit is
counted as missed.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog
from llm_observe.v1.event_service_pb2 import WatchLogsResponse

from worker.queue.outages import REDIS_ERRORS, error_code

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from redis.asyncio.client import PubSub

    from codec.batch import ArrivedLog
    from worker.queue.stream import LogStream

logger = structlog.get_logger("worker.queue.live")

_WAITING_LOGS: Final = 5_000
_GROUP_LOGS: Final = 500
_TIMEOUT_S: Final = 1.0
_PROBE_EVERY_S: Final = 0.5
"""How often a publisher asks whether anybody is subscribed."""
_IDLE_S: Final = 5.0
"""After this long without a message, a subscriber checks that Redis still answers."""


def _channel(stream: LogStream, project_id: str) -> str:
    return f"{stream.name}:live:{project_id}"


class LivePublisher:
    """A worker's end. Asks now and then whether anybody is subscribed; if nobody is, it sends nothing."""

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream
        self._waiting: deque[ArrivedLog] = deque()
        self._missed: dict[str, int] = {}
        self._listened: dict[str, tuple[float, bool]] = {}
        self._nobody_until = 0.0
        """Nobody was subscribed when last asked, which is assumed to hold until then (monotonic clock)."""
        self._task: asyncio.Task[None] | None = None

    def publish(self, stored: Sequence[ArrivedLog]) -> None:
        """Publish logs that have been committed. Returns at once."""
        if not self._waiting and time.monotonic() < self._nobody_until:
            return
        room = _WAITING_LOGS - len(self._waiting)
        self._waiting.extend(stored[:room])
        for missed in stored[room:]:
            self._missed[missed.project_id] = self._missed.get(missed.project_id, 0) + 1
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._send_all(), name="live-publisher")

    async def _send_all(self) -> None:
        while self._waiting:
            groups: dict[str, list[ArrivedLog]] = {}
            for _ in range(min(_GROUP_LOGS, len(self._waiting))):
                stored = self._waiting.popleft()
                groups.setdefault(stored.project_id, []).append(stored)
            for project_id, logs in groups.items():
                try:
                    async with asyncio.timeout(_TIMEOUT_S):
                        await self._send(project_id, logs)
                except Exception as error:  # noqa: BLE001 - the live tail must not disturb a writer
                    self._missed[project_id] = self._missed.get(project_id, 0) + len(logs)
                    logger.warning("live tail interrupted", reason=error_code(error))
        if not any(listened for _, listened in self._listened.values()):
            self._nobody_until = time.monotonic() + _PROBE_EVERY_S

    async def _send(self, project_id: str, logs: list[ArrivedLog]) -> None:
        channel = _channel(self._stream, project_id)
        asked, listened = self._listened.get(channel, (0.0, False))
        if time.monotonic() - asked > _PROBE_EVERY_S:
            ((_, listeners),) = await self._stream.redis.pubsub_numsub(channel)
            listened = listeners > 0
            self._listened[channel] = (time.monotonic(), listened)
        if not listened:
            self._missed.pop(project_id, None)  # nobody was subscribed to miss them
            return
        messages = [stored.message() for stored in logs]
        response = WatchLogsResponse(logs=messages, missed_count=self._missed.pop(project_id, 0))
        await self._stream.redis.publish(channel, response.SerializeToString())


async def listen_live(stream: LogStream, project_id: str) -> AsyncGenerator[WatchLogsResponse, None]:
    """Yield what workers store from now on; first an empty message, once it is subscribed.

    Raises:
        RedisError: Redis refuses, or the connection broke.
        OSError: Redis cannot be reached, or does not answer any more.
    """
    pubsub = stream.new_pubsub()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await pubsub.subscribe(_channel(stream, project_id))
        yield WatchLogsResponse()
        while True:
            message = await _next_message(pubsub)
            if message["type"] == "message":
                yield WatchLogsResponse.FromString(message["data"])
    finally:
        with suppress(*REDIS_ERRORS):
            async with asyncio.timeout(_TIMEOUT_S):
                await pubsub.aclose()  # type: ignore[no-untyped-call] # redis-py leaves it so


async def _next_message(pubsub: PubSub) -> dict[str, Any]:
    """Return the next message of any type; while none comes, check that Redis still answers."""
    message: dict[str, Any] | None = await pubsub.get_message(timeout=_IDLE_S)
    if message is None:
        async with asyncio.timeout(_TIMEOUT_S):
            await pubsub.ping()
        message = await pubsub.get_message(timeout=_TIMEOUT_S)
    if message is None:
        raise TimeoutError
    return message

"""The live tail: workers tell what they stored, servers listen. By Redis pub/sub: who is away hears nothing.

Publishing never holds up a writer: it is done beside it, a group at a time, and what does not fit is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import structlog
from llm_observe.v1.event_service_pb2 import WatchLogsResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from codec.batch import ArrivedLog
    from worker.queue.broker import LogBroker

logger = structlog.get_logger("worker.queue.live")

_WAITING_LOGS: Final = 5_000
_GROUP_LOGS: Final = 500
_TIMEOUT_S: Final = 1.0
_ASK_EVERY_S: Final = 0.5


def _channel(broker: LogBroker, project_id: str) -> str:
    return f"{broker.queue_name}:live:{project_id}"


class LivePublisher:
    """A worker's end. Asks now and then whether anybody listens; to nobody nothing is sent."""

    def __init__(self, broker: LogBroker) -> None:
        self._broker = broker
        self._waiting: deque[ArrivedLog] = deque()
        self._missed: dict[str, int] = {}
        self._listened: dict[str, tuple[float, bool]] = {}
        self._nobody_until = 0.0
        """Nobody listened when last asked; until then, by the monotonic clock, that is taken for so."""
        self._task: asyncio.Task[None] | None = None

    def publish(self, stored: Sequence[ArrivedLog]) -> None:
        """Tell of logs that have been committed. Returns at once."""
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
                except Exception as error:  # noqa: BLE001 - the tail is not worth a writer's trouble
                    self._missed[project_id] = self._missed.get(project_id, 0) + len(logs)
                    logger.warning("live tail interrupted", error_type=type(error).__name__)
        if not any(listened for _, listened in self._listened.values()):
            self._nobody_until = time.monotonic() + _ASK_EVERY_S

    async def _send(self, project_id: str, logs: list[ArrivedLog]) -> None:
        channel = _channel(self._broker, project_id)
        asked, listened = self._listened.get(channel, (0.0, False))
        if time.monotonic() - asked > _ASK_EVERY_S:
            ((_, listeners),) = await self._broker.redis.pubsub_numsub(channel)
            listened = listeners > 0
            self._listened[channel] = (time.monotonic(), listened)
        if not listened:
            self._missed.pop(project_id, None)  # nobody was there to miss them
            return
        messages = [stored.message() for stored in logs]
        response = WatchLogsResponse(logs=messages, missed_count=self._missed.pop(project_id, 0))
        await self._broker.redis.publish(channel, response.SerializeToString())


async def listen_live(broker: LogBroker, project_id: str) -> AsyncIterator[WatchLogsResponse]:
    """Yield what workers store from now on; an empty message first, once it listens.

    Raises:
        RedisError: Redis is away.
        OSError: Likewise.
    """
    pubsub = broker.new_pubsub()
    try:
        await pubsub.subscribe(_channel(broker, project_id))
        yield WatchLogsResponse()
        async for message in pubsub.listen():
            if message["type"] == "message":
                yield WatchLogsResponse.FromString(message["data"])
    finally:
        await pubsub.aclose()

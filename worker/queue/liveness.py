"""Heartbeats: a worker counts as alive as long as it renews its key in Redis."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

from worker.queue.outages import REDIS_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.queue.stream import LogStream

logger = structlog.get_logger("worker.queue.liveness")

_STOP_TIMEOUT_S: Final = 1.0


class Liveness:
    """The heartbeat of one consumer, and whether it may judge others by theirs.

    Args:
        stream: The queue.
        consumer: Whose heartbeat it is.
        heartbeat_s: How often the key is renewed.
        liveness_s: How long the key lives without.
        waits_for: Says what the consumer waits for; empty where it does not.
    """

    def __init__(
        self,
        stream: LogStream,
        consumer: str,
        *,
        heartbeat_s: float,
        liveness_s: float,
        waits_for: Callable[[], str] = str,
    ) -> None:
        self._stream = stream
        self._consumer = consumer
        self._heartbeat_s = heartbeat_s
        self._liveness_s = liveness_s
        self._waits_for = waits_for
        self._task: asyncio.Task[None] | None = None
        self._may_judge_from = 0.0
        """By the monotonic clock."""

    def start(self) -> None:
        """Begin to renew the key, until stop()."""
        self._task = asyncio.create_task(self._renew(), name="queue-heartbeat")

    async def join(self) -> None:
        """Make the group where it does not exist, and set the key.

        Raises:
            RedisError: Redis refused.
            OSError: Redis cannot be reached, or does not answer.
        """
        await self._stream.join(self._consumer, self._liveness_s, self._waits_for())

    async def stop(self) -> None:
        """Let the key lapse."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_STOP_TIMEOUT_S)

    def note_outage(self) -> None:
        """Judge no worker for a while: in an outage the keys of live workers expire, too."""
        self._may_judge_from = time.monotonic() + self._liveness_s

    def may_judge(self) -> bool:
        """Tell whether a key that is missing means that its worker is dead."""
        return time.monotonic() >= self._may_judge_from

    async def _renew(self) -> None:
        is_logged = False
        while True:
            await asyncio.sleep(self._heartbeat_s)
            try:
                await self._stream.beat(self._consumer, self._liveness_s, self._waits_for())
                is_logged = False
            except REDIS_ERRORS:  # listen() waits for the same Redis, and logs it
                self.note_outage()
            except Exception:  # a heart that stops would make others take over what this worker processes
                self.note_outage()
                if not is_logged:
                    logger.exception("heartbeat failed; retrying")
                is_logged = True

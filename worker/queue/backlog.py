"""How much the queue may hold: beyond that new batches are refused, so that Redis' memory stays flat."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from worker.queue.outages import REDIS_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.queue.broker import LogBroker

logger = structlog.get_logger("worker.queue.backlog")

_INTERVAL_S: Final = 1.0
_LATELY_S: Final = 60.0
_TIMEOUT_S: Final = 1.0
_MAX_MEMORY_USED: Final = 0.8
"""Part of Redis' ``maxmemory`` beyond which the queue is full, too. The rest is for workers, and for what
comes until it is noticed."""


class Backlog:
    """Looks every second at what the queue takes.

    Args:
        broker: Whose queue.
        max_bytes: What it may take of Redis' memory.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, broker: LogBroker, max_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._broker = broker
        self._max_bytes = max_bytes
        self._clock = clock
        self._full_at = -math.inf
        self.is_full = False
        """Whether it takes more."""

    @property
    def was_full_lately(self) -> bool:
        """Whether it was full within the last minute: in an overload it is, again and again."""
        return self._clock() - self._full_at < _LATELY_S

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    await self.look()
            except REDIS_ERRORS:
                pass  # who writes to the queue meanwhile is told
            except Exception:  # the next look may succeed
                logger.exception("backlog not measured")
            await asyncio.sleep(_INTERVAL_S)

    async def look(self) -> None:
        """Look once.

        Raises:
            RedisError: Redis refused.
            OSError: Redis cannot be reached.
        """
        redis = self._broker.redis
        taken = int(await redis.memory_usage(self._broker.queue_name) or 0)
        memory: dict[str, Any] = await redis.info("memory")
        limit = int(memory.get("maxmemory", 0)) * _MAX_MEMORY_USED
        self.is_full = taken >= self._max_bytes or 0 < limit <= int(memory["used_memory"])
        if self.is_full:
            self._full_at = self._clock()

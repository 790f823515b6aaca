"""The queue of accepted logs: group commit into Redis, and the state of the queue."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from redis.exceptions import RedisError

from worker.queue.broker import GROUP, LogBroker
from worker.queue.coalescer import Coalescer, CoalescerFull
from worker.queue.message import BATCHES, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec.batch import AcceptedBatch

WRITE_LOGS: Final = "write_logs"
_PATIENCE_S: Final = 0.9
"""How long a call waits for its turn."""
_WRITE_TIMEOUT_S: Final = 1.0
"""How long Redis may take for a message; with the patience before, a call is answered within 2 seconds."""
_GROUP_BYTES: Final = 1024 * 1024
"""What one message holds, but for a single larger batch: a task is redelivered whole."""
_LINGER_S: Final = 0.002
"""How long calls that come at once wait for each other: a write costs as much as ten calls."""
_ENOUGH_BYTES: Final = 256 * 1024
"""Where this waits, the write's own cost no longer counts."""
_WAITING_BYTES: Final = 64 * 1024 * 1024
"""What may wait in this process for Redis."""
_PROBE_TIMEOUT_S: Final = 1.0


class QueueUnavailable(Exception):
    """Redis cannot take or tell anything now."""


class QueueFull(Exception):
    """More waits for Redis than this process may hold."""


class QueueStats(NamedTuple):
    """The state of the queue."""

    depth: int
    """Batches that wait or are being written, delayed ones included."""
    pending: int
    """Batches given to a worker."""
    delayed: int
    """Batches that wait for a retry."""
    consumers: int
    """Live workers."""
    oldest_age_s: float | None
    """Age of the oldest batch, in seconds; None when the queue is empty."""


class LogQueue:
    """Group commit into Redis: concurrent calls share one message, each is answered when Redis has it."""

    def __init__(self, broker: LogBroker) -> None:
        self._broker = broker
        self._coalescer: Coalescer[AcceptedBatch, None] = Coalescer(
            self._write,
            group_size=_GROUP_BYTES,
            waiting_size=_WAITING_BYTES,
            linger_s=_LINGER_S,
            enough=_ENOUGH_BYTES,
            queue_timeout_s=_PATIENCE_S,
        )

    async def put(self, batch: AcceptedBatch) -> None:
        """Queue a batch; when this returns, Redis has it.

        Raises:
            QueueUnavailable: Redis did not take it in time. It may have: sending again is safe.
            QueueFull: Redis is slower than what comes in; nothing was queued.
        """
        try:
            await self._coalescer.put(batch, len(batch.payload))
        except CoalescerFull:
            raise QueueFull from None
        except Exception as error:
            raise QueueUnavailable(type(error).__name__) from error

    async def _write(self, batches: Sequence[AcceptedBatch]) -> Sequence[None]:
        # As taskiq's own sending makes it, without the way through its models.
        head = {"task_id": uuid.uuid4().hex, "task_name": WRITE_LOGS, "labels": {}, "args": []}
        async with asyncio.timeout(_WRITE_TIMEOUT_S):
            await self._broker.append(pack(head, {BATCHES: batches}))
        return [None] * len(batches)


async def queue_stats(broker: LogBroker) -> QueueStats:
    """Return the state of the queue.

    Raises:
        QueueUnavailable: Redis does not answer within a second.
    """
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            return await _read_stats(broker)
    except (RedisError, OSError, TimeoutError) as error:
        raise QueueUnavailable(type(error).__name__) from error


async def queue_memory_bytes(broker: LogBroker) -> int:
    """Return what the queue takes in Redis, in bytes.

    Raises:
        QueueUnavailable: Redis does not answer within a second.
    """
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            keys = (broker.queue_name, broker.delayed_key)
            return sum([int(await broker.redis.memory_usage(key) or 0) for key in keys])
    except (RedisError, OSError, TimeoutError) as error:
        raise QueueUnavailable(type(error).__name__) from error


async def _read_stats(broker: LogBroker) -> QueueStats:
    redis, name = broker.redis, broker.queue_name
    async with redis.pipeline(transaction=True) as both:  # or a batch that moves over is counted in neither
        waiting, delayed = await both.xlen(name).zcard(broker.delayed_key).execute()
    groups = await redis.xinfo_groups(name) if waiting or await redis.exists(name) else []
    pending = sum(int(group["pending"]) for group in groups if group["name"] == GROUP.encode())
    alive = [key async for key in redis.scan_iter(f"{name}:alive:*", count=1000)]
    oldest = await redis.xrange(name, count=1)
    age = None
    if oldest:
        queued_ms = int(oldest[0][0].split(b"-")[0])
        age = max(0.0, datetime.now(UTC).timestamp() - queued_ms / 1000)
    return QueueStats(waiting + delayed, pending, delayed, len(alive), age)

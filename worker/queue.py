"""The door to the queue: what the server, the scheduler and the command line may use of the worker."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from redis.exceptions import RedisError
from taskiq.kicker import AsyncKicker

from worker.broker import GROUP, LogBroker
from worker.settings import QueueSettings, RedactionSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LogBroker",
    "QueueSettings",
    "QueueStats",
    "QueueUnavailable",
    "RedactionSettings",
    "enqueue_logs",
    "queue_stats",
]

WRITE_LOGS: Final = "write_logs"
_ENQUEUE_TIMEOUT_S: Final = 1.5
_PROBE_TIMEOUT_S: Final = 1.0


class QueueUnavailable(Exception):
    """Redis cannot take or tell anything now."""


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


async def enqueue_logs(
    broker: LogBroker,
    batch: bytes,
    *,
    project_id: str,
    receive_time_us: int,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Queue one serialized IngestLogsRequest; when this returns, Redis has it.

    Args:
        broker: The queue.
        batch: The request, accepted logs only.
        project_id: Whose logs they are.
        receive_time_us: When they were accepted, in microseconds since 1970; orders corrections.
        labels: Trace context and the like.

    Raises:
        QueueUnavailable: Redis did not take it in time. It may have: sending again is safe.
    """
    kicker: AsyncKicker[..., None] = AsyncKicker(WRITE_LOGS, broker, dict(labels or {}))
    text = base64.b64encode(batch).decode("ascii")
    try:
        async with asyncio.timeout(_ENQUEUE_TIMEOUT_S):
            await kicker.kiq(batch=text, project_id=project_id, receive_time_us=receive_time_us)
    except Exception as error:
        raise QueueUnavailable(type(error).__name__) from error


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


async def _read_stats(broker: LogBroker) -> QueueStats:
    redis, name = broker.redis, broker.queue_name
    waiting = await redis.xlen(name)
    delayed = await redis.zcard(broker.delayed_key)
    groups = await redis.xinfo_groups(name) if waiting or await redis.exists(name) else []
    pending = sum(int(group["pending"]) for group in groups if group["name"] == GROUP.encode())
    alive = [key async for key in redis.scan_iter(f"{name}:alive:*", count=1000)]
    oldest = await redis.xrange(name, count=1)
    age = None
    if oldest:
        queued_ms = int(oldest[0][0].split(b"-")[0])
        age = max(0.0, datetime.now(UTC).timestamp() - queued_ms / 1000)
    return QueueStats(waiting + delayed, pending, delayed, len(alive), age)

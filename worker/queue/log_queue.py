"""The queue of accepted logs: group commit into Redis, and the state of the queue."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Final, NamedTuple

from telemetry import metrics
from worker.queue.coalescer import Coalescer, CoalescerFull
from worker.queue.message import BATCHES, pack, to_queued
from worker.queue.outages import REDIS_ERRORS, Outage, error_code
from worker.queue.stream import GROUP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec.batch import AcceptedBatch
    from worker.queue.backlog import Backlog
    from worker.queue.broker import LogBroker

WRITE_SPANS: Final = "write_spans"
"""Name of the task that stores spans."""
WRITE_LOGS: Final = "write_logs"
_QUEUE_TIMEOUT_S: Final = 0.9
"""How long a call waits for its group to be written."""
_WRITE_TIMEOUT_S: Final = 1.0
"""How long Redis may take for a message; with the wait before, a call is answered within 2 seconds."""
_GROUP_BYTES: Final = 1024 * 1024
"""Largest message, but for a single larger batch: a message is redelivered whole."""
_LINGER_S: Final = 0.002
"""How long concurrent calls wait for each other: one Redis write costs as much CPU as ten calls."""
_LINGER_BELOW_BYTES: Final = 256 * 1024
"""Above this, the bytes cost more than the write itself."""
_WAITING_BYTES: Final = 64 * 1024 * 1024
"""How much may wait for Redis in this process."""
_PROBE_TIMEOUT_S: Final = 1.0
_APPENDED: Final = metrics.QUEUE_APPEND_DURATION.child("ok")
_APPEND_FAILED: Final = metrics.QUEUE_APPEND_DURATION.child("error")
_MESSAGE_BATCHES: Final = metrics.QUEUE_MESSAGE_BATCHES.child()


class QueueUnavailable(Exception):
    """Redis does not answer, or refuses."""


class QueueFull(Exception):
    """More batches wait in the queue, or in this process for Redis, than may."""


class QueueStats(NamedTuple):
    """The state of the queue."""

    depth: int
    """Messages that wait or are being written, delayed ones included."""
    pending: int
    """Messages given to a worker."""
    delayed: int
    """Messages that wait for a retry."""
    consumers: int
    """Live workers."""
    oldest_age_s: float | None
    """Age of the oldest message, delayed ones included, in seconds; None when the queue is empty."""
    waits: tuple[str, ...] = ()
    """What workers wait for, each reason once."""


class LogQueue:
    """Group commit into Redis: concurrent calls share a message, and each returns when Redis has it.

    Args:
        broker: Appends messages.
        backlog: Knows whether the queue is full; None where it never is.
        task_name: What workers do with them.
    """

    def __init__(
        self, broker: LogBroker, backlog: Backlog | None = None, task_name: str = WRITE_LOGS
    ) -> None:
        self._broker = broker
        self._backlog = backlog
        self._task_name = task_name
        self._outage = Outage("write to the queue")
        self._coalescer: Coalescer[AcceptedBatch, None] = Coalescer(
            self._write,
            group_size=_GROUP_BYTES,
            waiting_size=_WAITING_BYTES,
            linger_s=_LINGER_S,
            linger_below=_LINGER_BELOW_BYTES,
            queue_timeout_s=_QUEUE_TIMEOUT_S,
        )

    async def put(self, batch: AcceptedBatch) -> None:
        """Queue a batch; when this returns, Redis has it.

        Raises:
            QueueUnavailable: Redis did not take it in time. It may have: sending again is safe.
            QueueFull: Batches arrive faster than workers store them, or than Redis takes them; nothing was
                queued.
        """
        if self._backlog is not None and self._backlog.is_full:
            raise QueueFull
        try:
            await self._coalescer.put(batch, len(batch.payload))
        except CoalescerFull:
            raise QueueFull from None
        except Exception as error:
            raise QueueUnavailable(error_code(error)) from error

    async def _write(self, batches: Sequence[AcceptedBatch]) -> Sequence[None]:
        begin = time.perf_counter()
        # What taskiq's own sending would make, without its models.
        head = {"task_id": uuid.uuid4().hex, "task_name": self._task_name, "labels": {}, "args": []}
        try:
            await self._broker.append(pack(head, {BATCHES: list(map(to_queued, batches))}), _WRITE_TIMEOUT_S)
        except Exception as error:  # callers get it too, but only as UNAVAILABLE
            _APPEND_FAILED.record(time.perf_counter() - begin)
            self._outage.note(error)
            raise
        _APPENDED.record(time.perf_counter() - begin)
        _MESSAGE_BATCHES.record(len(batches))
        self._outage.end()
        return [None] * len(batches)


async def queue_stats(broker: LogBroker) -> QueueStats:
    """Return the state of the queue.

    Raises:
        QueueUnavailable: Redis does not answer within a second.
    """
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            return await _read_stats(broker)
    except REDIS_ERRORS as error:
        raise QueueUnavailable(error_code(error)) from error


async def queue_memory_bytes(broker: LogBroker) -> int:
    """Return how much of Redis' memory the queue takes, in bytes.

    Raises:
        QueueUnavailable: Redis does not answer within a second.
    """
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            keys = (broker.queue_name, broker.stream.delayed_key)
            return sum([int(await broker.redis.memory_usage(key) or 0) for key in keys])
    except REDIS_ERRORS as error:
        raise QueueUnavailable(error_code(error)) from error


async def _read_stats(broker: LogBroker) -> QueueStats:
    redis, stream = broker.redis, broker.stream
    async with redis.pipeline(transaction=True) as both:  # or one that moves between is counted in neither
        both.xlen(stream.name)
        both.zcard(stream.retries_key)
        both.zcard(stream.delayed_key)
        entries, retries, put_aside = await both.execute()
    groups = await redis.xinfo_groups(stream.name) if entries or await redis.exists(stream.name) else []
    held = sum(int(group["pending"]) for group in groups if group["name"] == GROUP.encode())
    alive = [key async for key in redis.scan_iter(stream.alive_key("*"), count=1000)]
    oldest = await stream.oldest()
    return QueueStats(
        depth=entries + put_aside,
        pending=max(0, held - retries),
        delayed=retries + put_aside,
        consumers=len(alive),
        oldest_age_s=None if oldest is None else max(0.0, time.time() - oldest),
        waits=_distinct(await redis.mget(alive)) if alive else (),
    )


def _distinct(values: Sequence[bytes | str | None]) -> tuple[str, ...]:
    """Return what heartbeats say; those of version 0.2.0 say 1."""
    return tuple(sorted({value.decode() for value in values if isinstance(value, bytes)} - {"", "1"}))

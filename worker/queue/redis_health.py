"""What health asks of Redis: the state of the queue, and whether what it holds is safe there."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from redis.exceptions import ResponseError

from worker.queue.log_queue import QueueStats, QueueUnavailable, queue_stats
from worker.queue.outages import REDIS_ERRORS, error_code

if TYPE_CHECKING:
    from worker.queue.broker import LogBroker
    from worker.queue.stream import LogStream

SYNCED_KEY: Final = "llm_observe:synced"
"""Exists while the launcher syncs the append-only file in place of Redis."""
SYNCED_TTL_S: Final = 10
_TIMEOUT_S: Final = 1.0
_MAX_ROUND_TRIP_S: Final = 0.1
"""An answer that took longer does not tell what time it is."""
_PROBE_MS: Final = 1000


class RedisHealth(NamedTuple):
    """What Redis says. None means that it does not tell."""

    stats: QueueStats
    refusal: str
    """Code of its reply to a write; empty where it was taken."""
    has_append_only_file: bool
    sync_policy: str | None
    """``appendfsync``; ``launcher`` where the launcher syncs."""
    eviction_policy: str
    evicted_count: int
    """Keys evicted since it started."""
    memory_used: float | None
    """Part of ``maxmemory`` that is used; None without a limit."""
    clock_lead_s: float | None
    """How far its clock is ahead of ours, in seconds."""


async def get_redis_health(broker: LogBroker) -> RedisHealth:
    """Return what Redis says.

    Raises:
        QueueUnavailable: It does not answer within a second.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            stats = await queue_stats(broker)
            return await _read(broker.stream, stats)
    except REDIS_ERRORS as error:
        raise QueueUnavailable(error_code(error)) from error


async def _read(stream: LogStream, stats: QueueStats) -> RedisHealth:
    info = await _info(stream)
    limit = int(info.get("maxmemory", 0))
    return RedisHealth(
        stats=stats,
        refusal=await _refusal(stream),
        has_append_only_file=bool(info.get("aof_enabled", 1)),
        sync_policy=await _sync_policy(stream),
        eviction_policy=str(info.get("maxmemory_policy", "noeviction")),
        evicted_count=int(info.get("evicted_keys", 0)),
        memory_used=int(info["used_memory"]) / limit if limit else None,
        clock_lead_s=await _clock_lead_s(stream),
    )


async def _info(stream: LogStream) -> dict[str, Any]:
    """Return what Redis tells of itself; nothing where it is not allowed."""
    try:
        found: dict[str, Any] = await stream.redis.info("memory", "persistence", "stats")
    except ResponseError:
        return {}
    return found


async def _refusal(stream: LogStream) -> str:
    """Write something that vanishes by itself, and return the code of a refusal."""
    try:
        await stream.redis.set(f"{stream.name}:probe", "1", px=_PROBE_MS)
    except ResponseError as error:
        return error_code(error)
    return ""


async def _sync_policy(stream: LogStream) -> str | None:
    if await stream.redis.exists(SYNCED_KEY):
        return "launcher"
    try:
        found = await stream.redis.config_get("appendfsync")
    except ResponseError:  # hosted ones refuse CONFIG
        return None
    value = found.get("appendfsync")
    return None if value is None else str(value)


async def _clock_lead_s(stream: LogStream) -> float | None:
    begin, begin_s = time.perf_counter(), time.time()
    try:
        seconds, microseconds = await stream.redis.time()
    except ResponseError:
        return None
    took_s = time.perf_counter() - begin
    if took_s > _MAX_ROUND_TRIP_S:
        return None
    return float(seconds + microseconds / 1e6 - (begin_s + took_s / 2))

"""HealthService: checks Postgres and Redis, within a time-out, and always answers."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe import __version__
from llm_observe.v1.health_service_pb2 import (
    CheckRequest,
    CheckResponse,
    DependencyHealth,
    HealthState,
    RollupHealth,
)
from llm_observe.v1.health_service_pb2_grpc import HealthServiceServicer

from server.admin.convert import to_queue_health
from server.rpc.times import to_duration, to_timestamp
from storage.alert_messages import count_undelivered
from storage.dead_letters import count_waiting_dead_letters
from storage.errors import StorageError
from storage.rollups import get_rollup_health
from worker.queue.log_queue import QueueStats, QueueUnavailable, queue_stats

if TYPE_CHECKING:
    from server.rpc.context import Context
    from storage.pool import Database
    from worker.queue.broker import LogBroker

_TIMEOUT_S: Final = 1.5
_LATE_S: Final = 60.0
"""The queue is degraded when a batch has waited longer than this, in seconds; rollups when a merge has."""


class _Found(NamedTuple):
    """What Postgres answered."""

    dead_letter_count: int
    rollups: RollupHealth
    undelivered_count: int
    """Of messages about alerts."""


class HealthService(HealthServiceServicer):
    """See health_service.proto."""

    def __init__(self, database: Database, broker: LogBroker) -> None:
        self._database = database
        self._broker = broker
        self._start_time = datetime.now(UTC)

    async def Check(self, request: CheckRequest, context: Context) -> CheckResponse:
        (postgres, found), (redis, stats) = await asyncio.gather(self._check_postgres(), self._check_redis())
        response = CheckResponse(
            dependencies=[postgres, redis], version=__version__, start_time=to_timestamp(self._start_time)
        )
        states = [postgres.state, redis.state]
        if found is not None:
            response.dead_letter_count = found.dead_letter_count
            response.rollups.CopyFrom(found.rollups)
            response.undelivered_alert_message_count = found.undelivered_count
            states.append(_state(degraded=found.dead_letter_count > 0 or found.undelivered_count > 0))
            states.append(_state(degraded=found.rollups.merge_lag.seconds > _LATE_S))
        if stats is not None:
            response.queue.CopyFrom(to_queue_health(stats))
            states.append(_queue_state(stats))
        response.state = max(states)
        return response

    async def _check_postgres(self) -> tuple[DependencyHealth, _Found | None]:
        begin = time.perf_counter()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                dead_letters = await count_waiting_dead_letters(self._database)
                rollups = await self._check_rollups()
                since = datetime.now(UTC) - timedelta(days=1)
                undelivered = await count_undelivered(self._database, since=since)
        except (StorageError, TimeoutError):
            return _down("postgres", "does not answer"), None
        return _up("postgres", begin), _Found(dead_letters, rollups, undelivered)

    async def _check_rollups(self) -> RollupHealth:
        now = datetime.now(UTC)
        found = await get_rollup_health(self._database, since=now - timedelta(days=1))
        health = RollupHealth(overflow_hour_count=found.overflow_hour_count)
        if found.oldest_delta_time is not None:
            lag_us = (now - found.oldest_delta_time) // timedelta(microseconds=1)
            health.merge_lag.CopyFrom(to_duration(max(0, lag_us)))
        return health

    async def _check_redis(self) -> tuple[DependencyHealth, QueueStats | None]:
        begin = time.perf_counter()
        try:
            stats = await queue_stats(self._broker)
        except QueueUnavailable:
            return _down("redis", "does not answer"), None
        return _up("redis", begin), stats


def _up(name: str, begin: float) -> DependencyHealth:
    latency = to_duration((time.perf_counter() - begin) * 1e6)
    return DependencyHealth(name=name, state=HealthState.HEALTH_STATE_HEALTHY, latency=latency)


def _down(name: str, message: str) -> DependencyHealth:
    return DependencyHealth(name=name, state=HealthState.HEALTH_STATE_UNHEALTHY, message=message)


def _queue_state(stats: QueueStats) -> HealthState.ValueType:
    late = stats.oldest_age_s is not None and stats.oldest_age_s > _LATE_S
    return _state(degraded=late or not stats.consumers)


def _state(*, degraded: bool) -> HealthState.ValueType:
    return HealthState.HEALTH_STATE_DEGRADED if degraded else HealthState.HEALTH_STATE_HEALTHY

"""Samples the state of the stores into metrics: what no process could count by itself."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from analytics.windows import HOUR
from storage.alert_messages import count_undelivered
from storage.dead_letters import count_waiting_dead_letters
from storage.errors import StorageError
from storage.lake import find_waiting_hours
from storage.ledger import count_sdk_drops
from storage.rollups import get_rollup_health
from telemetry import metrics
from worker.queue.log_queue import QueueUnavailable, queue_stats

if TYPE_CHECKING:
    from analytics.lake.settings import LakeSettings
    from storage.pool import Database
    from worker.queue.broker import LogBroker

logger = structlog.get_logger("server.admin.monitor")

_INTERVAL_S: Final = 15.0
_SLOW_ROUNDS: Final = 4
"""What takes longer to find is sampled in each fourth round."""
_DROPS_WINDOW: Final = timedelta(minutes=10)
_OTHER: Final = "other"
_REASONS: Final = (
    "queue_full", "expired", "refused", "rejected", "shut_down", "internal_error", "spool_damaged", _OTHER,
)  # fmt: skip
"""Why our SDK drops logs; a producer may say anything, and its words become no label."""
_OF_QUEUE: Final = (metrics.QUEUE_DEPTH, metrics.QUEUE_DELAYED, metrics.QUEUE_AGE, metrics.QUEUE_WORKERS)
_OF_DATABASE: Final = (metrics.DEAD_LETTERS, metrics.ROLLUP_LAG, metrics.ALERTS_UNDELIVERED)
_UNKNOWN: Final = math.nan


class StoreMonitor:
    """Samples every 15 seconds. What a store does not tell is NaN meanwhile.

    Args:
        database: Postgres.
        broker: Whose queue is looked at.
        lake: Whether hours are exported, and when.
    """

    def __init__(self, database: Database, broker: LogBroker, lake: LakeSettings) -> None:
        self._database = database
        self._broker = broker
        self._lake = lake
        self._round = 0

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            try:
                await self.sample()
            except Exception:  # the next round may succeed
                logger.exception("stores not sampled")
            await asyncio.sleep(_INTERVAL_S)

    async def sample(self) -> None:
        """Sample once."""
        await asyncio.gather(self._sample_queue(), self._sample_database())

    async def _sample_queue(self) -> None:
        up = metrics.DEPENDENCY_UP.child("redis")
        try:
            stats = await queue_stats(self._broker)
        except QueueUnavailable:
            up.record(0)
            _set(_OF_QUEUE, (_UNKNOWN,) * len(_OF_QUEUE))
            return
        up.record(1)
        _set(_OF_QUEUE, (stats.depth, stats.delayed, stats.oldest_age_s or 0.0, stats.consumers))

    async def _sample_database(self) -> None:
        up = metrics.DEPENDENCY_UP.child("postgres")
        now = datetime.now(UTC)
        try:
            await self._sample_counts(now)
        except StorageError:
            up.record(0)
            _set(_OF_DATABASE, (_UNKNOWN,) * len(_OF_DATABASE))
            _forget_slow()
            self._round = 0
            return
        up.record(1)
        if self._round % _SLOW_ROUNDS == 0:
            try:
                await self._sample_slowly(now)
            except StorageError:  # a query that takes too long is no store that is down
                _forget_slow()
        self._round += 1

    async def _sample_counts(self, now: datetime) -> None:
        since = now - timedelta(days=1)
        rollups = await get_rollup_health(self._database, since=since)
        oldest = rollups.oldest_delta_time
        _set(
            _OF_DATABASE,
            (
                await count_waiting_dead_letters(self._database),
                _age_s(oldest, now),
                await count_undelivered(self._database, since=since),
            ),
        )

    async def _sample_slowly(self, now: datetime) -> None:
        drops = dict.fromkeys(_REASONS, 0)
        for reason, count in await count_sdk_drops(self._database, since=now - _DROPS_WINDOW):
            drops[reason if reason in drops else _OTHER] += count
        for reason, count in drops.items():
            metrics.SDK_DROPPED.child(reason).record(count)
        end = None
        if self._lake.url:
            waiting = await find_waiting_hours(self._database, end=self._lake.last_end(now))
            end = waiting.oldest_hour and waiting.oldest_hour + HOUR
        metrics.EXPORT_LAG.child().record(_age_s(end, now))


def _forget_slow() -> None:
    metrics.EXPORT_LAG.child().record(_UNKNOWN)
    for reason in _REASONS:
        metrics.SDK_DROPPED.child(reason).record(_UNKNOWN)


def _age_s(time: datetime | None, now: datetime) -> float:
    return 0.0 if time is None else max(0.0, (now - time).total_seconds())


def _set(gauges: tuple[metrics.Metric, ...], values: tuple[float, ...]) -> None:
    for gauge, value in zip(gauges, values, strict=True):
        gauge.child().record(value)

"""The job that evaluates alerts and sends notices, again and again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from storage.alerts import forget_alerts
from storage.errors import StorageError
from worker.queue.log_queue import queue_stats
from worker.queue.outages import Outage
from worker.tasks.evaluate_alerts import AlertEvaluator
from worker.tasks.send_notices import NoticeSender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from storage.pool import Database
    from worker.notices.notifier import Notifier
    from worker.queue.broker import LogBroker

logger = structlog.get_logger("worker.tasks.alerts")
_INTERVAL_S: Final = 5.0
"""Between two looks for what is due: a rule is, once a minute."""


class AlertJob:
    """Runs in each worker and in the scheduler, and not as a task of the queue.

    A rule about the age of the queue must not wait in it, nor for workers that are all dead.
    """

    def __init__(self, database: Database, broker: LogBroker, notifier: Notifier) -> None:
        self._database = database
        self._broker = broker
        self._evaluator = AlertEvaluator(database, self._queue_age)
        self._sender = NoticeSender(database, notifier, _now)

    async def run(self) -> None:
        """Evaluate and send until cancelled. What fails is tried again."""
        await asyncio.gather(
            self._repeat("evaluate alerts", self._evaluate), self._repeat("send notices", self._send)
        )

    async def _evaluate(self) -> None:
        await self._evaluator.evaluate(_now())

    async def _send(self) -> None:
        await self._sender.send()

    async def _queue_age(self) -> float:
        stats = await queue_stats(self._broker)
        return stats.oldest_age_s or 0.0

    async def _repeat(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        outage = Outage(name)
        while True:
            try:
                await step()
            except StorageError as error:
                outage.note(error)
            except Exception:
                logger.exception("alerts not processed", step=name)
            else:
                outage.end()
            await asyncio.sleep(_INTERVAL_S)

    async def forget(self, kept_days: int) -> None:
        """Delete resolved alerts and finished messages that are older than logs are kept."""
        await forget_alerts(self._database, before=_now() - timedelta(days=kept_days))


def _now() -> datetime:
    return datetime.now(UTC)

"""Scheduled jobs: one scheduler process queues them, and any worker runs them."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
from taskiq import ScheduledTask, ScheduleSource, TaskiqScheduler
from taskiq.api import run_scheduler_task

from telemetry.settings import load_settings
from worker.queue.broker import LogBroker
from worker.queue.settings import QueueSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = structlog.get_logger("worker.schedule")

MAKE_PARTITIONS: Final = "make_partitions"
APPLY_RETENTION: Final = "apply_retention"
FORGET_MINUTES: Final = "forget_minutes"
QUEUE_EXPORTS: Final = "queue_exports"
CRONTAB: Final[Mapping[str, str]] = {
    MAKE_PARTITIONS: "7 * * * *",
    # Once the hour before is sealed by the default of LLM_OBSERVE_LAKE_SEAL_DELAY_S, and before retention.
    QUEUE_EXPORTS: "13 * * * *",
    APPLY_RETENTION: "23 * * * *",
    FORGET_MINUTES: "41 * * * *",
}
"""Task name to cron expression, UTC."""


class Crontab(ScheduleSource):
    """The fixed table above."""

    async def get_schedules(self) -> list[ScheduledTask]:
        """Return every entry."""
        return [
            ScheduledTask(task_name=name, labels={}, args=[], kwargs={}, cron=cron, schedule_id=name)
            for name, cron in CRONTAB.items()
        ]


async def run_scheduler() -> None:
    """Queue the jobs that are due, until SIGTERM or SIGINT."""
    broker = LogBroker(load_settings(QueueSettings))
    scheduler = TaskiqScheduler(broker, [Crontab()])
    running = asyncio.create_task(run_scheduler_task(scheduler, run_startup=True))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    logger.info("scheduler ready", tasks=len(CRONTAB))
    with suppress(asyncio.CancelledError):
        await running
    await broker.shutdown()

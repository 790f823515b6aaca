"""Retention, as a worker runs it: old logs are dropped, with a lake only once their files are in it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

import structlog

from analytics.lake.store import LakeUnavailable
from storage.partitions import apply_retention

if TYPE_CHECKING:
    from datetime import date

    from storage.pool import Database
    from worker.tasks.export_logs import LogExporter

logger = structlog.get_logger("worker.tasks.drop_old_logs")


async def drop_old_logs(
    database: Database, today: date, retention_days: int, exporter: LogExporter | None
) -> None:
    """Drop the days that need not be kept any longer.

    Args:
        database: Where the logs are.
        today: In UTC.
        retention_days: How long they are kept; 0 means for ever.
        exporter: Knows the lake; None where there is none, and nothing to wait for.

    Raises:
        StorageError: Nothing was dropped, try again later.
    """
    if retention_days and exporter is not None and not await _check_lake(exporter, today, retention_days):
        return
    done = await apply_retention(database, today, retention_days, exported_only=exporter is not None)
    if done.dropped:
        logger.info("old partitions dropped", partitions=done.dropped, retention_days=retention_days)
    if done.waiting.oldest_hour is not None:
        logger.warning(
            "old logs are kept until they are exported: see `llm-observe export list`",
            oldest_hour=done.waiting.oldest_hour.isoformat(),
            hours=done.waiting.hour_count,
            retention_days=retention_days,
        )


async def _check_lake(exporter: LogExporter, today: date, retention_days: int) -> bool:
    """Look whether the lake still has the files of what is to be dropped; False where it does not answer."""
    end = datetime.combine(today - timedelta(days=retention_days), time(), UTC)
    try:
        lost = await exporter.mark_lost_hours(end)
    except LakeUnavailable as error:
        logger.warning("old logs are kept while the lake is away", reason=str(error))
        return False
    if lost:
        logger.warning("the lake has lost files; their hours are exported again", hours=lost)
    return True

"""The job that merges what was added to the rollups into their tiers, again and again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from analytics import shortening
from analytics.windows import HOUR, floor
from storage.errors import QueryTimeout
from storage.rollup_merges import MergeResult, forget_minutes, merge_deltas
from worker.queue.outages import wait_out

if TYPE_CHECKING:
    from storage.pool import Database
    from worker.settings import RollupSettings

logger = structlog.get_logger("worker.tasks.merge_rollups")
_MAX_DELTAS: Final = 20_000
"""Deltas of one transaction, which takes a second or two."""
_MIN_DELTAS: Final = 100


class RollupMerger:
    """Merges every few seconds, in each worker; of several, one at a time does it."""

    def __init__(self, database: Database, settings: RollupSettings) -> None:
        self._database = database
        self._settings = settings
        self._deltas_at_once = _MAX_DELTAS

    async def run(self) -> None:
        """Merge until cancelled. An outage of the database is waited out."""
        while True:
            try:
                await wait_out("merge rollups", self.merge)
            except Exception:  # the next round may succeed; readers add what waits
                logger.exception("rollups not merged")
            await asyncio.sleep(self._settings.merge_interval_s)

    async def merge(self) -> int:
        """Merge all that waits; return how many deltas that were.

        Raises:
            StorageUnavailable: The rest is merged next time.
        """
        merged = 0
        while True:
            result = await self._merge_some()
            merged += result.deltas
            if result.finished:
                return merged

    async def _merge_some(self) -> MergeResult:
        """Merge once; of what takes too long, half the next time."""
        try:
            result = await merge_deltas(
                self._database, shorten, max_groups=self._settings.max_groups, at_once=self._deltas_at_once
            )
        except QueryTimeout:
            self._deltas_at_once = max(_MIN_DELTAS, self._deltas_at_once // 2)
            raise
        self._deltas_at_once = min(_MAX_DELTAS, self._deltas_at_once * 2)
        return result

    async def forget_minutes(self) -> None:
        """Drop the rollups of minutes that are kept no longer; hours stay."""
        keep = timedelta(hours=self._settings.minutes_kept_hours)
        await forget_minutes(self._database, kept_from=floor(datetime.now(UTC) - keep, HOUR))


async def shorten(rows: list[tuple[bytes, ...]]) -> list[tuple[bytes, ...]]:
    """Return the shortest bytes with the same counts, for rows of PACKED_COUNTS."""
    return await asyncio.to_thread(lambda: [shortening.shorten(*row) for row in rows])

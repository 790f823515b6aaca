"""Queues exports of finished hours, and runs them: they wait in Postgres, and each worker runs one at a time.

An export that its worker does not end is taken over by another one. Hours that are in the lake already are
not written again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog
from llm_observe.ids import uuid7

from analytics.lake.exporter import find_lost
from analytics.lake.store import LakeUnavailable
from analytics.windows import HOUR
from storage import exports, lake
from storage.errors import StorageError
from worker.queue.outages import wait_out
from worker.tasks.export_run import ExportRun, utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from analytics.lake.settings import LakeSettings
    from analytics.lake.store import LakeStore
    from storage.exports import Export
    from storage.pool import Database
    from worker.tasks.export_run import Clock

logger = structlog.get_logger("worker.tasks.export_logs")

LEASE: Final = timedelta(seconds=30)
"""How long an export is its worker's without a renewal."""
_RENEW_S: Final = 2.0
"""A cancelled export stops as soon."""
_POLL_S: Final = 2.0
_RELEASE_TIMEOUT_S: Final = 2.0
_UNAVAILABLE: Final = "LAKE_UNAVAILABLE"
_BUG: Final = "INTERNAL"


class LogExporter:
    """Queues and runs exports.

    Args:
        database: Where logs and exports are: connections of its own, since an export holds one for long.
        store: The lake.
        settings: When hours may be exported, and how long an outage may last.
        now: The time of day.
    """

    def __init__(
        self, database: Database, store: LakeStore, settings: LakeSettings, now: Clock = utc_now
    ) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._now = now
        self._queued = asyncio.Event()

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()

    async def queue_exports(self) -> None:
        """Seal the hours that are over, and queue an export for each project that has something to export.

        Raises:
            StorageUnavailable: Not all are queued; try again.
        """
        window = {"start": lake.EARLIEST, "end": self._settings.last_end(self._now())}
        await lake.seal_hours(self._database, **window, project_id=None)
        hours = await lake.list_hours(self._database, **window, project_id=None, only_changed=True)
        for project_id, group in groupby(hours, lambda each: each.project_id):
            times = [each.hour for each in group]
            await exports.add_export(
                self._database,
                export_id=UUID(uuid7()),
                project_id=project_id,
                start_time=times[0],
                end_time=times[-1] + HOUR,
                checks_files=False,
            )
        self._queued.set()

    async def mark_lost_hours(self, end: datetime) -> int:
        """Have hours before a time exported again whose files the lake has lost; return how many.

        Retention asks before it drops the logs, which are then all that is left of those hours.

        Raises:
            LakeUnavailable: The lake cannot be asked.
            StorageUnavailable: Postgres cannot.
        """
        hours = await lake.list_hours(self._database, start=lake.EARLIEST, end=end, project_id=None)
        lost = await find_lost(self._store, hours)
        await lake.mark_lost(self._database, lost)
        return len(lost)

    async def run(self) -> None:
        """Run exports until cancelled, one after the other."""
        while True:
            try:
                found = await wait_out("run exports", self.run_next)
            except Exception:
                logger.exception("export not finished; it is run again")
                found = False
            if not found:
                await self._wait_for_more()

    async def _wait_for_more(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._queued.wait(), _POLL_S)
        self._queued.clear()

    async def run_next(self) -> bool:
        """Run the export that has waited longest; False where none waits.

        Raises:
            StorageUnavailable: It is left to the next worker.
        """
        export = await exports.claim_export(self._database, LEASE)
        if export is None:
            return False
        work = asyncio.create_task(self._run(export), name="export")
        try:
            while not work.done() and await self._renew(export.export_id):
                await asyncio.wait({work}, timeout=_RENEW_S)
        finally:
            if not work.done():
                await self._stop(work, export.export_id)
        if not work.cancelled():
            work.result()
        return True

    async def _renew(self, export_id: UUID) -> bool:
        """Keep an export; False where it was cancelled."""
        try:
            return await exports.renew_lease(self._database, export_id, LEASE)
        except StorageError:  # another worker may take it over meanwhile, which does no harm
            return True

    async def _stop(self, work: asyncio.Task[None], export_id: UUID) -> None:
        work.cancel()
        await asyncio.wait({work})
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT_S):
                await exports.release_export(self._database, export_id)

    async def _run(self, export: Export) -> None:
        """Run an export, and note how it ended."""
        run = ExportRun(self._database, self._store, self._settings, export, self._now)
        try:
            state, reason = ("succeeded", "") if await run.write() else ("failed", _BUG)
        except LakeUnavailable as error:
            logger.warning("the lake is away for too long; the next export goes on", reason=str(error))
            state, reason = "failed", _UNAVAILABLE
        await exports.finish_export(self._database, export.export_id, state=state, error_reason=reason)
        logger.info("export ended", export_id=str(export.export_id), state=state)

"""The job that writes finished hours into the lake: exports are queued in Postgres, and each worker runs one at a time.

An export that its worker does not end is taken over by another, or by the next one: hours that are in the lake
already are not written again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
from llm_observe.ids import uuid7

from analytics.lake.exporter import Outcome, export_hour
from analytics.lake.layout import hour_file, project_folder
from analytics.lake.manifest import update_manifest
from analytics.lake.store import LakeUnavailable
from analytics.lake.threads import run_in_thread
from analytics.windows import DAY, HOUR, floor
from storage import exports, lake
from storage.errors import StorageError, StorageUnavailable
from worker.queue.outages import Outage, wait_out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from analytics.lake.settings import LakeSettings
    from analytics.lake.store import LakeStore
    from storage.exports import Export
    from storage.lake import LakeHour
    from storage.pool import Database

logger = structlog.get_logger("worker.tasks.export_logs")

Result = TypeVar("Result")

LEASE: Final = timedelta(seconds=30)
_RENEW_S: Final = 2.0
"""How soon a cancelled export stops, too."""
_POLL_S: Final = 2.0
_BUSY_S: Final = 0.5
_RELEASE_TIMEOUT_S: Final = 2.0
UNAVAILABLE: Final = "LAKE_UNAVAILABLE"
BUG: Final = "INTERNAL"


def finished_before(now: datetime, settings: LakeSettings) -> datetime:
    """Return the end of the last hour that may be exported."""
    return floor(now - settings.seal_delay, HOUR)


class LogExporter:
    """Queues and runs exports.

    Args:
        database: Where logs and exports are; connections of its own, since an export holds one for long.
        store: The lake.
        settings: When hours are exported, and how long an outage may last.
        now: The time of day.
    """

    def __init__(
        self,
        database: Database,
        store: LakeStore,
        settings: LakeSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._now = now
        self._queued = asyncio.Event()

    async def queue_exports(self) -> None:
        """Seal the hours that are over and queue an export for each project that has something to export.

        Raises:
            StorageUnavailable: Not all are queued; try again.
        """
        start, _ = lake.EVER
        end = finished_before(self._now(), self._settings)
        await lake.seal_hours(self._database, start=start, end=end, project_id=None)
        hours = await lake.list_hours(
            self._database, start=start, end=end, project_id=None, only_changed=True
        )
        for project_id, of_project in groupby(hours, lambda each: each.project_id):
            times = [each.hour for each in of_project]
            await exports.add_export(
                self._database,
                export_id=uuid7(),
                project_id=project_id,
                start_time=times[0],
                end_time=times[-1] + HOUR,
                checks_files=False,
            )
        self._queued.set()

    async def run(self) -> None:
        """Run exports until cancelled, one after the other."""
        while True:
            try:
                found = await wait_out("find exports", self.run_next)
            except Exception:
                logger.exception("export not finished; another worker goes on with it")
                found = False
            if not found:
                await self._wait_for_exports()

    async def _wait_for_exports(self) -> None:
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
        work = asyncio.create_task(self._finish(export), name="export")
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=_RENEW_S)
                if not work.done() and not await self._renew(export.export_id):
                    break
        finally:
            if not work.done():
                await self._stop(work, export.export_id)
        if not work.cancelled():
            work.result()
        return True

    async def _renew(self, export_id: UUID) -> bool:
        try:
            return await exports.renew_lease(self._database, export_id, LEASE)
        except StorageError:  # an outage; another worker that takes over meanwhile does no harm
            return True

    async def _stop(self, work: asyncio.Task[None], export_id: UUID) -> None:
        work.cancel()
        await asyncio.wait({work})
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT_S):
                await exports.release_export(self._database, export_id)

    async def _finish(self, export: Export) -> None:
        """Run an export, and note how it ended."""
        try:
            failed = await self._write_hours(export)
            state, reason = ("failed", BUG) if failed else ("succeeded", "")
        except LakeUnavailable as error:
            logger.warning("export failed: the lake is away for too long", reason=str(error))
            state, reason = "failed", UNAVAILABLE
        await exports.finish_export(self._database, export.export_id, state=state, error_reason=reason)
        logger.info("export ended", export_id=str(export.export_id), state=state)

    async def _write_hours(self, export: Export) -> bool:
        """Write what is due of an export, a day after the other; return whether some hour cannot be written.

        Raises:
            LakeUnavailable: The lake is away for longer than an export waits.
        """
        await self._persist("sweep the lake", self._sweep_of(export.project_id))
        due = await self._persist("find hours", lambda: self._list_due(export))
        failed = False
        for _, hours in groupby(due, lambda each: floor(each.hour, DAY)):
            for hour in hours:
                failed |= not await self._write_hour(hour, export.export_id)
            await self._update_manifests(export)
        await self._update_manifests(export)
        return failed

    def _sweep_of(self, project_id: str) -> Callable[[], Awaitable[None]]:
        return lambda: run_in_thread(lambda: self._store.sweep(project_folder(project_id)))

    async def _list_due(self, export: Export) -> Sequence[LakeHour]:
        end = min(export.end_time, finished_before(self._now(), self._settings))
        window = {"start": export.start_time, "end": end}
        await lake.seal_hours(self._database, **window, project_id=export.project_id)
        hours = await lake.list_hours(
            self._database, **window, project_id=export.project_id, only_changed=not export.checks_files
        )
        sizes: dict[str, int] = {}
        if export.checks_files:
            names = [hour_file(*each.key) for each in hours if each.row_count]
            sizes = await run_in_thread(lambda: self._store.sizes(names))
        return [each for each in hours if self._is_due(each, sizes if export.checks_files else None)]

    @staticmethod
    def _is_due(hour: LakeHour, sizes: dict[str, int] | None) -> bool:
        if not hour.is_clean:
            return True
        return bool(
            sizes is not None and hour.row_count and sizes.get(hour_file(*hour.key)) != hour.size_bytes
        )

    async def _write_hour(self, hour: LakeHour, export_id: UUID) -> bool:
        """Write an hour; False where that cannot be done, and repeating would not help."""
        try:
            while await self._persist("export logs", lambda: self._export(hour, export_id)) is Outcome.BUSY:
                await asyncio.sleep(_BUSY_S)
                if await self._persist("find hours", lambda: self._is_clean(hour)):
                    break
        except (LakeUnavailable, StorageUnavailable):
            raise
        except Exception:  # of one hour; the others go on
            logger.exception("hour not exported", project_id=hour.project_id, hour=hour.hour.isoformat())
            return False
        return True

    def _export(self, hour: LakeHour, export_id: UUID) -> Awaitable[Outcome]:
        return export_hour(
            self._database,
            self._store,
            hour.key,
            timeout_s=self._settings.timeout_s,
            export_id=export_id,
        )

    async def _is_clean(self, hour: LakeHour) -> bool:
        """Return whether another process has exported an hour by now."""
        found = await lake.list_hours(
            self._database, start=hour.hour, end=hour.hour + HOUR, project_id=hour.project_id
        )
        return all(each.is_clean for each in found)

    async def _update_manifests(self, export: Export) -> None:
        project_id, start, end = export.project_id, export.start_time, export.end_time
        days = await self._persist(
            "find manifests",
            lambda: lake.list_changed_manifests(self._database, project_id=project_id, start=start, end=end),
        )
        for day in days:
            await self._persist(
                "write a manifest",
                lambda day=day: update_manifest(self._database, self._store, project_id, day),
            )

    async def _persist(self, name: str, step: Callable[[], Awaitable[Result]]) -> Result:
        """Repeat a step while Postgres or the lake is away, but not for longer than the setting says.

        Raises:
            LakeUnavailable: The lake stayed away.
            StorageUnavailable: Postgres did.
        """
        outage, give_up_at = Outage(name), None
        clock = asyncio.get_running_loop().time
        while True:
            try:
                result = await step()
            except (LakeUnavailable, StorageUnavailable) as error:
                give_up_at = give_up_at or clock() + self._settings.outage_s
                if clock() >= give_up_at:
                    raise
                await outage.wait(error)
            else:
                outage.end()
                return result

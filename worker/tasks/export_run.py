"""One run of an export: seals what is over, writes what is due, and keeps the manifests right."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from analytics.lake.exporter import Outcome, export_hour, find_lost
from analytics.lake.layout import project_folder
from analytics.lake.manifest import update_manifest
from analytics.lake.store import LakeUnavailable
from analytics.lake.threads import run_in_thread
from analytics.windows import DAY, HOUR, floor
from storage import lake
from storage.errors import StorageUnavailable
from worker.queue.outages import Outage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from analytics.lake.settings import LakeSettings
    from analytics.lake.store import LakeStore
    from storage.exports import Export
    from storage.lake import LakeHour
    from storage.pool import Database

    Clock = Callable[[], datetime]

logger = structlog.get_logger("worker.tasks.export_run")

Result = TypeVar("Result")

_BUSY_S: Final = 0.5


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


class ExportRun:
    """Writes the hours of an export, each once. Repeating writes only what is not in the lake already.

    Args:
        database: Where the logs are.
        store: The lake.
        settings: When hours may be exported, and how long an outage may last.
        export: What to export.
        now: The time of day.
    """

    def __init__(
        self,
        database: Database,
        store: LakeStore,
        settings: LakeSettings,
        export: Export,
        now: Clock = utc_now,
    ) -> None:
        self._database = database
        self._store = store
        self._settings = settings
        self._export = export
        self._now = now

    async def write(self) -> bool:
        """Write what is due, one day after the other; False where some hour cannot be written.

        Raises:
            LakeUnavailable: The lake was away for too long.
            StorageUnavailable: Postgres was.
        """
        await self._persist("sweep the lake", self._sweep)
        due = await self._persist("find hours to export", self._list_due)
        written = []
        for _, hours in groupby(due, lambda each: floor(each.hour, DAY)):
            written += [await self._write_hour(hour) for hour in hours]
            await self._update_manifests()
        await self._update_manifests()  # those that a killed worker has left, too
        return all(written)

    async def _sweep(self) -> None:
        await run_in_thread(lambda: self._store.sweep(project_folder(self._export.project_id)))

    async def _list_due(self) -> Sequence[LakeHour]:
        export, end = self._export, min(self._export.end_time, self._settings.last_end(self._now()))
        await lake.seal_hours(self._database, start=export.start_time, end=end, project_id=export.project_id)
        hours = await lake.list_hours(
            self._database, start=export.start_time, end=end, project_id=export.project_id
        )
        lost = await find_lost(self._store, hours) if export.checks_files else []
        return [each for each in hours if not each.is_clean or each in lost]

    async def _write_hour(self, hour: LakeHour) -> bool:
        """Write an hour; False where that cannot be done, whatever the time."""
        try:
            while await self._persist("export logs", lambda: self._export_hour(hour)) is Outcome.BUSY:
                await asyncio.sleep(_BUSY_S)
                if await self._persist("find hours to export", lambda: self._is_clean(hour)):
                    break
        except (LakeUnavailable, StorageUnavailable):
            raise
        except Exception:  # of this hour; the others go on
            logger.exception("hour not exported", project_id=hour.project_id, hour=hour.hour.isoformat())
            return False
        return True

    async def _export_hour(self, hour: LakeHour) -> Outcome:
        return await export_hour(
            self._database,
            self._store,
            hour.key,
            timeout_s=self._settings.timeout_s,
            export_id=self._export.export_id,
        )

    async def _is_clean(self, hour: LakeHour) -> bool:
        """Return whether another process has exported an hour meanwhile."""
        found = await lake.list_hours(
            self._database, start=hour.hour, end=hour.hour + HOUR, project_id=hour.project_id
        )
        return all(each.is_clean for each in found)

    async def _update_manifests(self) -> None:
        for day in await self._persist("find manifests to write", self._list_manifests):
            await self._persist("write a manifest", partial(self._update_manifest, day))

    async def _list_manifests(self) -> list[datetime]:
        export = self._export
        return await lake.list_changed_manifests(
            self._database, project_id=export.project_id, start=export.start_time, end=export.end_time
        )

    async def _update_manifest(self, day: datetime) -> None:
        await update_manifest(self._database, self._store, self._export.project_id, day)

    async def _persist(self, name: str, step: Callable[[], Awaitable[Result]]) -> Result:
        """Repeat a step while Postgres or the lake is away, but not for longer than the setting says."""
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

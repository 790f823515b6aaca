"""One run of an export: seals what is over, writes what is due, and keeps the manifests right."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import structlog

from analytics.lake.checks import find_lost
from analytics.lake.exporter import Outcome, export_hour
from analytics.lake.layout import project_folder
from analytics.lake.manifest import update_manifest
from analytics.lake.store import LakeUnavailable, check_writable
from analytics.lake.threads import run_in_thread
from analytics.windows import DAY, HOUR, floor
from storage import lake
from storage.errors import StorageUnavailable
from worker.queue.outages import Outage
from worker.tasks.verify_files import verify_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from analytics.lake.settings import LakeSettings
    from analytics.lake.store import LakeStore
    from storage.exports import Export
    from storage.lake import HourKey, LakeHour
    from storage.pool import Database

    Clock = Callable[[], datetime]

logger = structlog.get_logger("worker.tasks.export_run")

Result = TypeVar("Result")

_BUSY_S: Final = 0.5
_FILE_PAUSES_S: Final = (0.5, 1.0, 0.0)
"""After each attempt at a file that cannot be written while the lake itself can be."""


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


class Failure(NamedTuple):
    """A file that could not be written, while others could."""

    what: str
    """The UTC hour, or the manifest of a day."""
    reason: str
    is_bug: bool = False


class FileUnwritable(Exception):
    """One file of the lake cannot be written, while the lake can be."""


def _name_of(hour: LakeHour) -> str:
    return f"{hour.hour:%Y-%m-%dT%H}Z"


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
        self._failures: dict[str, Failure] = {}
        self._interrupted: set[HourKey] = set()

    async def write(self) -> list[Failure]:
        """Write what is due, one day after the other; return what cannot be written, whatever the time.

        Raises:
            LakeUnavailable: The lake was away for too long.
            StorageUnavailable: Postgres was.
        """
        await self._persist("sweep the lake", self._sweep)
        if self._export.verifies_files:
            await self._persist("verify the lake", self._verify)
        due = await self._persist("find hours to export", self._list_due)
        for _, hours in groupby(due, lambda each: floor(each.hour, DAY)):
            for hour in hours:
                await self._write_hour(hour)
            await self._update_manifests()
        await self._update_manifests()  # those that a killed worker has left, too
        return list(self._failures.values())

    async def _sweep(self) -> None:
        await run_in_thread(lambda: self._store.sweep(project_folder(self._export.project_id)))

    async def _verify(self) -> None:
        for hour in await verify_files(self._database, self._store, self._export):
            what = _name_of(hour)
            self._failures[what] = Failure(what, "its file is lost or damaged, and its logs are dropped")
            logger.error(
                "a file of the lake is lost or damaged, and its logs are dropped",
                project_id=hour.project_id,
                file=what,
            )

    async def _list_due(self) -> Sequence[LakeHour]:
        export, end = self._export, min(self._export.end_time, self._settings.last_end(self._now()))
        await lake.seal_hours(self._database, start=export.start_time, end=end, project_id=export.project_id)
        hours = await lake.list_hours(
            self._database, start=export.start_time, end=end, project_id=export.project_id
        )
        lost = await find_lost(self._store, hours) if export.checks_files else []
        return [each for each in hours if not each.is_clean or each in lost]

    async def _write_hour(self, hour: LakeHour) -> None:
        """Write an hour, unless that fails for reasons of its own: the others go on."""
        async with self._noting_failure(_name_of(hour)):
            step = partial(self._try_file, partial(self._export_hour, hour))
            while await self._persist("export logs", step) is Outcome.BUSY:
                await asyncio.sleep(_BUSY_S)
                # After a failure here the file may be older than what another process has noted.
                if hour.key not in self._interrupted and await self._is_exported(hour):
                    break

    @asynccontextmanager
    async def _noting_failure(self, what: str) -> AsyncIterator[None]:
        try:
            yield
        except (LakeUnavailable, StorageUnavailable):
            raise
        except FileUnwritable as error:
            self._failures[what] = Failure(what, str(error))
            logger.warning(
                "file not written; the next export tries it again",
                project_id=self._export.project_id,
                file=what,
                reason=str(error),
            )
        except Exception as error:
            self._failures[what] = Failure(what, type(error).__name__, is_bug=True)
            logger.exception("file not written", project_id=self._export.project_id, file=what)

    async def _export_hour(self, hour: LakeHour) -> Outcome:
        try:
            return await export_hour(
                self._database,
                self._store,
                hour.key,
                timeout_s=self._settings.timeout_s,
                export_id=self._export.export_id,
            )
        except (LakeUnavailable, StorageUnavailable):
            self._interrupted.add(hour.key)
            raise

    async def _try_file(self, step: Callable[[], Awaitable[Result]]) -> Result:
        """Write a file of the lake, with some attempts if the lake seems to be in order.

        Raises:
            FileUnwritable: All of them failed.
            LakeUnavailable: The lake is away.
        """
        for pause_s in _FILE_PAUSES_S:
            try:
                return await step()
            except LakeUnavailable as error:
                await run_in_thread(lambda: check_writable(self._store))
                failure = error
            await asyncio.sleep(pause_s)
        raise FileUnwritable(str(failure))

    async def _is_exported(self, hour: LakeHour) -> bool:
        """Return whether another process has exported an hour meanwhile."""
        found = await self._persist(
            "find hours to export",
            lambda: lake.list_hours(
                self._database, start=hour.hour, end=hour.hour + HOUR, project_id=hour.project_id
            ),
        )
        return all(each.is_clean for each in found)

    async def _update_manifests(self) -> None:
        for day in await self._persist("find manifests to write", self._list_manifests):
            what = f"manifest of {day:%Y-%m-%d}"
            if what not in self._failures:
                async with self._noting_failure(what):
                    await self._persist("write a manifest", partial(self._update_manifest, day))

    async def _list_manifests(self) -> list[datetime]:
        export = self._export
        return await lake.list_changed_manifests(
            self._database, project_id=export.project_id, start=export.start_time, end=export.end_time
        )

    async def _update_manifest(self, day: datetime) -> None:
        await self._try_file(
            lambda: update_manifest(self._database, self._store, self._export.project_id, day)
        )

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

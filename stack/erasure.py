"""Erases a user: from logs, dead letters, files of the lake and conversations, in this order.

Conversations come last: they say which logs are the user's besides those that name them, also to the next
attempt where this one is interrupted.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from llm_observe.ids import uuid7

from analytics.lake.erasing import erase_hour, holds_user
from analytics.lake.exporter import Outcome, export_hour
from analytics.lake.manifest import update_manifest
from analytics.lake.threads import run_in_thread
from storage.lake import EARLIEST, HourKey, list_changed_manifests, list_dropped_hours, list_hours
from storage.log_erasure import (
    Found,
    UserData,
    begin_erasure,
    erase_conversations,
    erase_dead_letters,
    erase_logs,
    find_user,
    finish_erasure,
    note_lake_file,
    only_erasure,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from analytics.lake.store import LakeStore
    from storage.log_erasure import Erased
    from storage.pool import Database

    Report = Callable[[str, int], None]

_BUSY_PAUSE_S: Final = 0.5


class UserErasure:
    """Finds and erases users of a project.

    Args:
        database: Where their rows are.
        lake: Where their files are; None leaves files of dropped days alone.
        timeout_s: Longest that a query may take, in seconds.
        report: Is told what is done, and how many rows or files so far.
    """

    def __init__(self, database: Database, lake: LakeStore | None, timeout_s: float, report: Report) -> None:
        self._database = database
        self._lake = lake
        self._timeout_s = timeout_s
        self._report = report

    async def find(self, project_id: str, user_id: str) -> tuple[Found, Sequence[HourKey]]:
        """Return what there is of a user: rows, and hours that only the lake has.

        Raises:
            LakeUnavailable: A file cannot be read.
            StorageError: See storage.errors.
        """
        found = await find_user(self._database, project_id=project_id, user_id=user_id)
        return found, await self._find_dropped(found.user)

    async def erase(self, project_id: str, user_id: str, operator: str) -> Erased:
        """Erase a user, and return how much was erased. It may be interrupted, and repeated.

        Raises:
            ErasureBusy: A backup or another erasure runs.
            LakeUnavailable: Some of it is left; repeat it.
            StorageError: Likewise.
        """
        async with only_erasure(self._database):
            found = await find_user(self._database, project_id=project_id, user_id=user_id)
            user, erasure_id = found.user, UUID(uuid7())
            await begin_erasure(self._database, user, erasure_id=erasure_id, operator=operator)
            await erase_logs(
                self._database,
                user,
                found.hours,
                erasure_id=erasure_id,
                on_progress=lambda done: self._report("logs", done),
            )
            await erase_dead_letters(self._database, user, erasure_id=erasure_id)
            if self._lake is not None:
                await self._erase_files(self._lake, user, erasure_id)
            await erase_conversations(self._database, user, erasure_id=erasure_id)
            return await finish_erasure(self._database, erasure_id)

    async def _find_dropped(self, user: UserData) -> list[HourKey]:
        """Return the hours whose rows are dropped, and whose files have the user."""
        if self._lake is None:
            return []
        hours = await list_dropped_hours(
            self._database, start=EARLIEST, end=datetime.now(UTC), project_id=user.project_id
        )
        found = []
        for done, hour in enumerate(hours, 1):
            if hour.row_count and await holds_user(self._lake, hour.key, user):
                found.append(hour.key)
            self._report("reading the lake", done)
        return found

    async def _erase_files(self, lake: LakeStore, user: UserData, erasure_id: UUID) -> None:
        window = {"start": EARLIEST, "end": datetime.now(UTC), "project_id": user.project_id}
        changed = await list_hours(self._database, only_changed=True, **window)  # type: ignore[arg-type] # mypy joins the values' types
        for done, hour in enumerate(changed, 1):
            await self._export(lake, hour.key)
            self._report("files of kept days", done)
        await run_in_thread(
            lambda: lake.sweep(user.project_id)
        )  # what killed exports have left has rows, too
        for done, key in enumerate(await self._find_dropped(user), 1):
            await self._erase_hour(lake, key, user)
            await note_lake_file(self._database, erasure_id)
            self._report("files of dropped days", done)
        for day in await list_changed_manifests(self._database, **window):  # type: ignore[arg-type] # as above
            await update_manifest(self._database, lake, user.project_id, day)

    async def _export(self, lake: LakeStore, key: HourKey) -> None:
        """Have the file of an hour hold its rows as they are now.

        An export that has the hour may have begun before they were changed: then it is done again.
        """
        while True:
            outcome = await export_hour(self._database, lake, key, timeout_s=self._timeout_s)
            if outcome is not Outcome.BUSY:
                return
            await asyncio.sleep(_BUSY_PAUSE_S)

    async def _erase_hour(self, lake: LakeStore, key: HourKey, user: UserData) -> None:
        while True:
            if await erase_hour(self._database, lake, key, user, self._timeout_s):
                return
            await asyncio.sleep(_BUSY_PAUSE_S)

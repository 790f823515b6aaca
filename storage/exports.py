"""Export jobs. A project has at most one that has not ended; a worker runs it while it renews its lease."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
KEPT_FOR: Final = timedelta(days=90)
"""How long an export that has ended is listed."""


class Export(NamedTuple):
    """An export job."""

    export_id: UUID
    project_id: str
    start_time: datetime
    end_time: datetime
    checks_files: bool
    """Whether hours that are clean are looked for in the lake, and written again where they are missing."""
    state: str
    """queued, running, succeeded, failed or cancelled."""
    row_count: int
    size_bytes: int
    files: list[str]
    error_reason: str
    error_message: str
    create_time: datetime
    finish_time: datetime | None
    verifies_files: bool
    """Whether all files are read."""
    intact_count: int
    lost_count: int
    damaged_count: int


class Ending(NamedTuple):
    """How an export ended."""

    state: str
    error_reason: str = ""
    error_message: str = ""
    """Names the hours that were not written."""


async def add_export(
    database: Database,
    *,
    export_id: UUID,
    project_id: str,
    start_time: datetime,
    end_time: datetime,
    checks_files: bool,
    verifies_files: bool = False,
) -> Export | None:
    """Queue an export of whole hours; None where the project has one that has not ended."""
    row = await database.fetch_one(
        _QUERIES["add_export"],
        export_id=export_id,
        project_id=project_id,
        start_time=start_time,
        end_time=end_time,
        checks_files=checks_files,
        verifies_files=verifies_files,
    )
    return Export(*row.values()) if row is not None else None


async def find_unfinished_export(database: Database, project_id: str) -> UUID | None:
    """Return the project's export that has not ended, if it has one."""
    row = await database.fetch_one(_QUERIES["find_unfinished_export"], project_id=project_id)
    return row["export_id"] if row is not None else None


async def get_export(database: Database, *, project_id: str, export_id: UUID) -> Export | None:
    """Return an export, or None."""
    row = await database.fetch_one(_QUERIES["get_export"], project_id=project_id, export_id=export_id)
    return Export(*row.values()) if row is not None else None


async def list_exports(
    database: Database,
    *,
    project_id: str,
    states: Sequence[str] | None,
    before_id: UUID | None,
    row_limit: int,
) -> list[Export]:
    """Return a project's exports, newest first; states None means all."""
    rows = await database.fetch(
        _QUERIES["list_exports"],
        project_id=project_id,
        states=states,
        before_id=before_id,
        row_limit=row_limit,
    )
    return [Export(*row.values()) for row in rows]


async def cancel_export(database: Database, *, project_id: str, export_id: UUID) -> None:
    """Cancel an export that has not ended."""
    await database.fetch(_QUERIES["cancel_export"], project_id=project_id, export_id=export_id)


async def claim_export(database: Database, lease: timedelta) -> Export | None:
    """Take the oldest export that nobody runs, for as long as the lease is renewed; None without any."""
    row = await database.fetch_one(_QUERIES["claim_export"], lease=lease)
    return Export(*row.values()) if row is not None else None


async def renew_lease(database: Database, export_id: UUID, lease: timedelta) -> bool:
    """Keep an export; False where it was cancelled."""
    return await database.fetch_one(_QUERIES["renew_lease"], export_id=export_id, lease=lease) is not None


async def release_export(database: Database, export_id: UUID) -> None:
    """Leave an export that has not ended to other workers."""
    await database.fetch(_QUERIES["release_export"], export_id=export_id)


async def set_file_check(
    database: Database, export_id: UUID, *, intact_count: int, lost_count: int, damaged_count: int
) -> None:
    """Note what reading the files of an export's hours found, before they are written again."""
    await database.fetch(
        _QUERIES["set_file_check"],
        export_id=export_id,
        intact_count=intact_count,
        lost_count=lost_count,
        damaged_count=damaged_count,
    )


async def finish_export(database: Database, export_id: UUID, ending: Ending) -> None:
    """Note how an export ended, unless it was cancelled."""
    await database.fetch(_QUERIES["finish_export"], export_id=export_id, **ending._asdict())


async def forget_exports(database: Database) -> None:
    """Delete exports that ended long ago."""
    await database.fetch(_QUERIES["forget_exports"], kept=KEPT_FOR)

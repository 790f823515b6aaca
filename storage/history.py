"""Where the logs of a window lie: in files of the lake, or in Postgres alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from storage.lake import Sink
    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)


class LakeFile(NamedTuple):
    """What the lake has of an hour, all its logs included."""

    hour: datetime
    row_count: int
    """0 where there is no file: the hour has no logs."""
    size_bytes: int
    generation: int


class Range(NamedTuple):
    """A range of start_time, from start inclusive to end exclusive."""

    start: datetime
    end: datetime


async def list_lake_files(
    connection: Connection, *, project_id: str, start: datetime, end: datetime
) -> list[LakeFile]:
    """Return the hours that meet a window and whose logs need not be read from Postgres."""
    rows = await connection.fetch(_QUERIES["list_lake_files"], project_id=project_id, start=start, end=end)
    return [LakeFile(*row.values()) for row in rows]


async def copy_logs(
    connection: Connection,
    sink: Sink,
    *,
    project_id: str,
    ranges: Sequence[Range],
    columns: Sequence[str],
    row_limit: int,
    timeout_s: float,
) -> None:
    """Hand the logs of some ranges to a sink, as the lake's CSV.

    Args:
        connection: In a transaction.
        sink: Takes some whole rows at a time.
        project_id: Whose logs.
        ranges: May not overlap.
        columns: Of LAKE_COLUMNS; the others are NULL in every row.
        row_limit: Rows after which it ends.
        timeout_s: Longest that it may take, in seconds.
    """
    await connection.fetch(_QUERIES["set_date_style"])
    await connection.copy_out(
        _QUERIES["copy_logs"],
        sink,
        timeout_s=timeout_s,
        project_id=project_id,
        starts=[each.start for each in ranges],
        ends=[each.end for each in ranges],
        columns=list(columns),
        row_limit=row_limit,
    )


async def are_unchanged(database: Database, project_id: str, files: Sequence[LakeFile]) -> bool:
    """Return whether no export has replaced one of these files."""
    row = await database.fetch_one(
        _QUERIES["count_changed_files"],
        project_id=project_id,
        hours=[file.hour for file in files],
        generations=[file.generation for file in files],
    )
    return row is not None and row["changed"] == 0

"""What writers added to the rollups is merged into every tier.

Writers append deltas (storage.log_writes). Merging takes deltas out and adds them to the tiers in one
transaction, so that at any moment each call is counted once in every tier: there, or in a delta that readers
add.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.columns import PACKED_COUNTS, ROLLUP_DIMENSIONS
from storage.rollups import TIERS
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    import asyncpg

    from storage.pool import Connection, Database

    Shorten = Callable[[list[tuple[bytes, ...]]], Awaitable[list[tuple[bytes, ...]]]]
    """Returns the shortest bytes with the same counts, for rows of PACKED_COUNTS."""

_QUERIES: Final = load_queries(__file__)
_MINUTES_AT_ONCE: Final = 20_000
_DAY: Final = timedelta(days=1)
_NAMES: Final = tuple(each.name for each in PACKED_COUNTS)
_DIMENSIONS: Final = tuple(column.name for column in ROLLUP_DIMENSIONS)


class MergeResult(NamedTuple):
    """What one merge did."""

    deltas: int
    finished: bool
    """False where more deltas wait."""


async def merge_deltas(
    database: Database, shorten: Shorten, *, max_groups: int, at_once: int = 20_000
) -> MergeResult:
    """Merge the oldest deltas. Does nothing while another merger is at work.

    Args:
        database: Where the rollups are.
        shorten: Shortens packed counts that have grown.
        max_groups: How many groups a project may open an hour; the rest is counted under `other`.
        at_once: Deltas to merge at most.

    Raises:
        StorageUnavailable: Nothing was merged; try again.
    """
    async with database.connection() as connection, connection.transaction():
        if not await _lock(connection):
            return MergeResult(0, finished=True)
        batch = await connection.fetch_one(_QUERIES["find_last_delta"], row_limit=at_once)
        if batch is None or batch["delta_id"] is None:
            return MergeResult(0, finished=True)
        last_id = batch["delta_id"]
        await connection.fetch(_QUERIES["open_groups"], last_id=last_id, max_groups=max_groups)
        grown = await connection.fetch(_QUERIES["merge_deltas"], last_id=last_id, tiers=TIERS)
        if grown:
            await _shorten(connection, grown, shorten)
        return MergeResult(batch["delta_count"], finished=batch["delta_count"] < at_once)


async def forget_minutes(database: Database, *, kept_from: datetime) -> None:
    """Drop the rollups of minutes before a whole hour; their hours stay. Calling again finishes it."""
    await database.fetch(_QUERIES["keep_minutes_from"], kept_from=kept_from)
    forgotten = _MINUTES_AT_ONCE
    while forgotten == _MINUTES_AT_ONCE:
        row = await database.fetch_one(_QUERIES["forget_minutes"], row_limit=_MINUTES_AT_ONCE)
        forgotten = row["forgotten"] if row is not None else 0


async def list_days(connection: Connection) -> list[datetime]:
    """Return the UTC days of which raw rows are kept and something is stored or counted."""
    return [row["day"] for row in await connection.fetch(_QUERIES["list_days"])]


async def count_again(database: Database, day: datetime) -> None:
    """Forget what was counted of a UTC day and count its raw rows; writers wait meanwhile.

    A day that retention has dropped stays as it was counted.
    """
    bounds = {"start": day, "end": day + _DAY}
    async with database.connection() as connection, connection.transaction():
        await lock_merges(connection)
        await connection.fetch(_QUERIES["lock_writers"])
        if await connection.fetch_one(_QUERIES["is_dropped"], start=day):
            return
        await connection.fetch(_QUERIES["forget_rollups"], **bounds)
        await connection.fetch(_QUERIES["count_again"], **bounds)


async def lock_merges(connection: Connection) -> None:
    """Wait for the merger, and keep it waiting until the transaction ends."""
    await connection.fetch(_QUERIES["lock_merges"])


async def _lock(connection: Connection) -> bool:
    row = await connection.fetch_one(_QUERIES["try_lock"])
    return bool(row is not None and row["locked"])


async def _shorten(connection: Connection, grown: Sequence[asyncpg.Record], shorten: Shorten) -> None:
    shorter = await shorten([tuple(row[name] for name in _NAMES) for row in grown])
    await connection.fetch(
        _QUERIES["shorten_packed_counts"],
        project_ids=[row["project_id"] for row in grown],
        tiers=[row["tier_minutes"] for row in grown],
        start_times=[row["start_time"] for row in grown],
        **{name: [row[name] for row in grown] for name in _DIMENSIONS},
        **{name: [packed[place] for packed in shorter] for place, name in enumerate(_NAMES)},
    )

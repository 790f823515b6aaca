"""Rollups of every tier compared with the raw rows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.columns import PACKED_COUNTS, ROLLUP_DIMENSIONS
from storage.rollup_merges import list_days
from storage.rollups import TIERS, get_minutes_kept_from
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    import asyncpg

    from storage.pool import Connection, Database

    Agree = Callable[[bytes, bytes], bool]
    """Tells whether packed counts of the raw rows and of a rollup agree."""

_QUERIES: Final = load_queries(__file__)
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_MINUTE_TIER: Final = TIERS[0]


class RollupDifference(NamedTuple):
    """A rollup that differs from its raw rows."""

    project_id: str
    tier_minutes: int
    start_time: datetime
    provider: str
    model: str
    operation: str
    environment: str
    expected_count: int
    rollup_count: int
    differs_in: str
    """`sums`, or packed columns."""


async def verify_rollups(database: Database, agree: Mapping[str, Agree]) -> list[RollupDifference]:
    """Recompute every tier from the raw rows, each day in one snapshot, and return what differs.

    Rollups whose raw rows retention has dropped are final.

    Args:
        database: Where both are.
        agree: How a packed column is compared, by name of PACKED_COUNTS.
    """
    async with database.connection() as connection:
        days = await list_days(connection)
    # A snapshot a day: one that lasts keeps vacuum from removing deltas that have been merged.
    return [difference for day in days for difference in await _verify_day(database, day, agree)]


async def _verify_day(
    database: Database, day: datetime, agree: Mapping[str, Agree]
) -> list[RollupDifference]:
    differences: list[RollupDifference] = []
    async with database.connection() as connection, connection.transaction(read_only=True):
        minutes_from = await get_minutes_kept_from(connection)
        for tier, start, end in _parts_of(day, minutes_from):
            differences += await _compare(connection, tier, start, end, agree)
    return differences


def _parts_of(day: datetime, minutes_from: datetime) -> Iterator[tuple[int, datetime, datetime]]:
    """Yield tiers and ranges of a day: the minutes, of which there are many, hour by hour."""
    hours = [day + hour * _HOUR for hour in range(24)]
    yield from ((_MINUTE_TIER, hour, hour + _HOUR) for hour in hours if hour >= minutes_from)
    yield from ((tier, day, day + _DAY) for tier in TIERS if tier != _MINUTE_TIER)


async def _compare(
    connection: Connection, tier: int, start: datetime, end: datetime, agree: Mapping[str, Agree]
) -> list[RollupDifference]:
    rows = await connection.fetch(_QUERIES["compare_tier"], tier=tier, start=start, end=end)
    return [
        RollupDifference(
            project_id=row["project_id"],
            tier_minutes=tier,
            start_time=row["start_time"],
            **{column.name: row[column.name] for column in ROLLUP_DIMENSIONS},
            expected_count=row["expected_count"],
            rollup_count=row["rollup_count"],
            differs_in=", ".join(wrong),
        )
        for row in rows
        if (wrong := _wrong_in(row, agree))
    ]


def _wrong_in(row: asyncpg.Record, agree: Mapping[str, Agree]) -> list[str]:
    return [
        *([] if row["sums_agree"] else ["sums"]),
        *(
            each.name
            for each in PACKED_COUNTS
            if not agree[each.name](row[f"expected_{each.name}"], row[f"rollup_{each.name}"])
        ),
    ]

"""Rollups: read by ranges of tiers, step and group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    import asyncpg

    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)
TIERS: Final = (1, 60, 360, 1440)
"""Lengths of the stretches of time that rollups count, in minutes. Each divides the next."""


SKETCHES: Final = ("latency_sketch", "ttft_sketch")
ERROR_CODES: Final = ("error_codes",)
"""Names of PACKED_COUNTS."""


class TierRange(NamedTuple):
    """Rollups of a tier, from start inclusive to end exclusive."""

    tier_minutes: int
    start: datetime
    end: datetime
    part: int = 0
    """What is summed apart from other parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupFilter:
    """Selects rollups. None matches all."""

    project_id: str
    providers: Sequence[str] | None = None
    models: Sequence[str] | None = None
    operations: Sequence[str] | None = None
    environments: Sequence[str] | None = None

    @property
    def matches_all(self) -> bool:
        """Whether it selects all calls of the project."""
        return self == RollupFilter(project_id=self.project_id)

    def values(self) -> dict[str, object]:
        """Return the parameters that the queries of rollups share."""
        return {
            "project_id": self.project_id,
            "providers": self.providers,
            "models": self.models,
            "operations": self.operations,
            "environments": self.environments,
        }


class Numbers(Protocol):
    """Numbers by name."""

    def __getitem__(self, name: str, /) -> int: ...


class Packed(Protocol):
    """Packed counts by name."""

    def __getitem__(self, name: str, /) -> bytes: ...


class Cell(NamedTuple):
    """What the rollups of a step and group add up to."""

    step_start: datetime | None
    """None where all of the window is one step."""
    group_value: str
    remainder: bool
    """Whether it is all the groups that were not named."""
    sums: Numbers
    """By name of ROLLUP_SUMS; larger ones are 2^63 - 1."""
    packed: Packed
    """By name of PACKED_COUNTS."""
    part: int = 0
    """Of the ranges that were read."""


class Reading(NamedTuple):
    """What must be known before rollups are read."""

    kept_from: datetime
    """From when on rollups of minutes are kept."""
    overflow: bool
    """Whether the project has opened more groups in an hour than it may."""


class Facets(NamedTuple):
    """Requests by value of each dimension."""

    counts: Mapping[str, list[GroupCount]]
    """By dimension; the largest first."""
    error_codes: bytes
    """As in PACKED_COUNTS."""


class GroupCount(NamedTuple):
    """A group and its requests."""

    value: str
    request_count: int


class RollupHealth(NamedTuple):
    """How far the merger is, and how many hours have overflowed."""

    oldest_delta_time: datetime | None
    overflow_hour_count: int


async def begin_reading(connection: Connection, project_id: str, start: datetime) -> Reading:
    """Return what must be known before rollups of a project are read, from a start on."""
    row = await connection.fetch_one(_QUERIES["begin_reading"], project_id=project_id, start=start)
    assert row is not None  # noqa: S101 - the migration puts one row there
    return Reading(**row)


async def count_facets(
    connection: Connection, ranges: Sequence[TierRange], found: RollupFilter, limit: int
) -> Facets:
    """Return the largest values of every dimension at once."""
    rows = await connection.fetch(
        _QUERIES["count_facets"], group_by="", row_limit=limit, **found.values(), **_columns_of(ranges)
    )
    counts: dict[str, list[GroupCount]] = {}
    for row in rows:
        counts.setdefault(row["dimension"], []).append(GroupCount(row["value"], row["request_count"]))
    return Facets(counts, b"".join(row["error_codes"] or b"" for row in rows))


async def get_minutes_kept_from(connection: Connection) -> datetime:
    """Return from when on rollups of minutes are kept."""
    row = await connection.fetch_one(_QUERIES["get_minutes_kept_from"])
    assert row is not None  # noqa: S101 - the migration puts one row there
    kept_from: datetime = row["kept_from"]
    return kept_from


async def rank_groups(
    connection: Connection, ranges: Sequence[TierRange], found: RollupFilter, group_by: str, limit: int
) -> list[GroupCount]:
    """Return the groups of a dimension, most requests first."""
    rows = await connection.fetch(
        _QUERIES["rank_groups"], group_by=group_by, row_limit=limit, **found.values(), **_columns_of(ranges)
    )
    return [GroupCount(**row) for row in rows]


async def sum_rollups(
    connection: Connection,
    ranges: Sequence[TierRange],
    found: RollupFilter,
    *,
    step: timedelta | None = None,
    group_by: str = "",
    groups: Sequence[str] = ("",),
    packed: Sequence[str] = SKETCHES,
) -> list[Cell]:
    """Return the cells of the named groups and of the remainder, in no order.

    Args:
        connection: In a transaction, where several answers must agree.
        ranges: Not more of them than a step, where there is one.
        found: Which rollups.
        step: Length of a step; None makes one step of all.
        group_by: A dimension, or '' for one group.
        groups: Its values that get cells of their own.
        packed: Names of PACKED_COUNTS that are read; the others are empty.
    """
    rows = await connection.fetch(
        _QUERIES["sum_rollups"],
        step=step, group_by=group_by, groups=groups, packed=packed, **found.values(), **_columns_of(ranges),
    )  # fmt: skip
    return [_to_cell(row) for row in rows]


async def count_overflow(connection: Connection, ranges: Sequence[TierRange], project_id: str) -> int:
    """Return how many requests are counted under `other`, because their project had opened enough groups."""
    values = RollupFilter(project_id=project_id).values()
    row = await connection.fetch_one(_QUERIES["count_overflow"], group_by="", **values, **_columns_of(ranges))
    return int(row["request_count"]) if row is not None else 0


async def get_rollup_health(database: Database, *, since: datetime) -> RollupHealth:
    """Return how the rollups of all projects are."""
    row = await database.fetch_one(_QUERIES["get_rollup_health"], since=since)
    return RollupHealth(**row) if row is not None else RollupHealth(None, 0)


def _columns_of(ranges: Sequence[TierRange]) -> dict[str, list[object]]:
    return {
        "tiers": [each.tier_minutes for each in ranges],
        "starts": [each.start for each in ranges],
        "ends": [each.end for each in ranges],
        "parts": [each.part for each in ranges],
    }


def _to_cell(row: asyncpg.Record) -> Cell:
    # The row itself has the numbers by name: there may be twenty thousand, and the event loop waits.
    return Cell(row["step_start"], row["group_value"], row["remainder"], row, row, row["part"])

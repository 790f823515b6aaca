"""Digests of logs by user, session, release and tag, made of sealed hours.

What lies in log_digests is right in every snapshot (docs/decisions/0038-log-digests.md). A digest is added
only while the generations of its hours (storage.lake) are those that were read with the logs. With a
generation that is raised a trigger deletes the digests of the hour, of its day and of its week.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.columns import ROLLUP_SUMS, SKETCH_COUNTS
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from storage.pool import Connection

_QUERIES: Final = load_queries(__file__)
DIMENSIONS: Final = ("user", "session", "release", "tag")
HOUR_MINUTES: Final = 60
TIERS: Final = (HOUR_MINUTES, 1440, 10_080)
"""Lengths of the stretches of time that have digests, in minutes. Each divides the next."""
_SUMS: Final = tuple(each.name for each in ROLLUP_SUMS)
_SKETCHES: Final = tuple(each.name for each in SKETCH_COUNTS)


class Span(NamedTuple):
    """A stretch of time of a project that has, or may have, digests."""

    project_id: str
    start: datetime
    tier_minutes: int

    @property
    def end(self) -> datetime:
        """Exclusive."""
        return self.start + timedelta(minutes=self.tier_minutes)

    def values(self) -> dict[str, object]:
        """Return the parameters that queries share."""
        return {"project_id": self.project_id, "start": self.start, "end": self.end}


class GroupNumbers(NamedTuple):
    """A group and its numbers."""

    name: str
    sums: tuple[int, ...]
    """In the order of ROLLUP_SUMS; larger ones are 2^63 - 1."""
    sketches: tuple[bytes, ...]
    """In the order of SKETCH_COUNTS."""


class Digest(NamedTuple):
    """A digest of one dimension, as it is stored; see analytics.log_digests."""

    dimension: str
    group_count: int
    groups: bytes | None
    """None where there are too many groups; likewise details."""
    details: bytes | None


Generations = dict[datetime, int]
"""By hour."""


async def try_lock(connection: Connection) -> bool:
    """Keep other makers out until the connection is given back; False where one is at work."""
    row = await connection.fetch_one(_QUERIES["try_lock"])
    return bool(row is not None and row["locked"])


async def list_missing(connection: Connection, tier_minutes: int, limit: int) -> list[Span]:
    """Return stretches of time, the newest first, of which digests can be made and are not there."""
    if tier_minutes == HOUR_MINUTES:
        rows = await connection.fetch(_QUERIES["list_missing_hours"], row_limit=limit)
    else:
        rows = await connection.fetch(
            _QUERIES["list_missing_spans"],
            tier_minutes=tier_minutes,
            part_minutes=part_of(tier_minutes),
            row_limit=limit,
        )
    return [Span(row["project_id"], row["start_time"], tier_minutes) for row in rows]


def part_of(tier_minutes: int) -> int:
    """Return the tier of the digests that those of a tier are made from."""
    return TIERS[TIERS.index(tier_minutes) - 1]


async def read_generations(connection: Connection, span: Span) -> Generations:
    """Return the generations of the sealed hours; empty where retention has dropped them."""
    rows = await connection.fetch(_QUERIES["list_generations"], **span.values())
    return {row["hour"]: row["generation"] for row in rows}


async def read_logs(
    connection: Connection, span: Span, dimension: str, max_groups: int
) -> list[GroupNumbers] | None:
    """Return the groups of a span's logs, in no order; None where they are too many."""
    values = {**span.values(), "max_groups": max_groups}
    if dimension == "tag":
        rows = await connection.fetch(_QUERIES["digest_by_tag"], **values)
    else:
        rows = await connection.fetch(_QUERIES["digest_by_column"], dimension=dimension, **values)
    return None if len(rows) > max_groups else [_to_numbers(row) for row in rows]


def _to_numbers(row: asyncpg.Record) -> GroupNumbers:
    return GroupNumbers(
        row["group_value"], tuple(row[name] for name in _SUMS), tuple(row[name] for name in _SKETCHES)
    )


async def read_parts(connection: Connection, span: Span, dimension: str) -> list[Digest]:
    """Return the digests of the next shorter tier within a span, in order of time."""
    rows = await connection.fetch(
        _QUERIES["list_parts"], dimension=dimension, part_minutes=part_of(span.tier_minutes), **span.values()
    )
    return [Digest(row["dimension"], 0, row["groups"], row["details"]) for row in rows]


async def add_digests(
    connection: Connection, span: Span, generations: Generations, digests: Sequence[Digest]
) -> bool:
    """Add the digests of a span unless its logs have changed since the generations were read.

    Args:
        connection: Not in a transaction.
        span: Of which time they are.
        generations: From read_generations(), in the snapshot in which the logs were read.
        digests: Of all dimensions.

    Returns:
        Whether they were added, or were there.

    Raises:
        StorageError: A writer has held the hours for too long; try again.
    """
    async with connection.transaction():
        await connection.fetch(_QUERIES["set_lock_timeout"])
        await connection.fetch(_QUERIES["lock_writes"])
        rows = await connection.fetch(_QUERIES["lock_generations"], **span.values())
        if {row["hour"]: row["generation"] for row in rows} != generations:
            return False
        await connection.fetch(
            _QUERIES["add_digests"],
            project_id=span.project_id,
            start=span.start,
            tier_minutes=span.tier_minutes,
            dimensions=[each.dimension for each in digests],
            group_counts=[each.group_count for each in digests],
            groups=[each.groups for each in digests],
            details=[each.details for each in digests],
        )
    return True


class FoundDigest(NamedTuple):
    """A digest that may be read."""

    start: datetime
    tier_minutes: int
    group_count: int

    @property
    def end(self) -> datetime:
        """Exclusive."""
        return self.start + timedelta(minutes=self.tier_minutes)


class Piece(NamedTuple):
    """Bytes of a digest's details."""

    digest: FoundDigest
    first: int
    size: int


async def list_digests(
    connection: Connection, project_id: str, dimension: str, window: tuple[datetime, datetime]
) -> list[FoundDigest]:
    """Return the digests that begin in a window, in order of time, the shorter first."""
    rows = await connection.fetch(
        _QUERIES["list_digests"], project_id=project_id, dimension=dimension, start=window[0], end=window[1]
    )
    return [FoundDigest(*row.values()) for row in rows]


async def read_groups(
    connection: Connection, project_id: str, dimension: str, digests: Sequence[FoundDigest]
) -> list[bytes]:
    """Return the groups of digests, in their order."""
    if not digests:
        return []
    rows = await connection.fetch(
        _QUERIES["read_groups"],
        project_id=project_id,
        dimension=dimension,
        starts=[each.start for each in digests],
        tiers=[each.tier_minutes for each in digests],
    )
    return [row["groups"] for row in rows]


async def read_details(
    connection: Connection, project_id: str, dimension: str, pieces: Sequence[Piece]
) -> list[bytes]:
    """Return pieces of details, in their order."""
    if not pieces:
        return []
    rows = await connection.fetch(
        _QUERIES["read_details"],
        project_id=project_id,
        dimension=dimension,
        starts=[each.digest.start for each in pieces],
        tiers=[each.digest.tier_minutes for each in pieces],
        firsts=[each.first + 1 for each in pieces],
        sizes=[each.size for each in pieces],
    )
    return [row["part"] for row in rows]


async def forget_digests(connection: Connection, horizon: datetime) -> None:
    """Delete the digests that hold logs of before a horizon, from which on logs are kept."""
    await connection.fetch(_QUERIES["forget_digests"], horizon=horizon)

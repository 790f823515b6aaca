"""Digests of logs by user, session, release and tag (docs/decisions/0038-log-digests.md).

Whoever changes logs adds deltas to the rollups in the same transaction. With a delta that is merged a trigger
deletes the digests of its minute. So a digest is right in a snapshot without deltas of its minutes. One is
made in three steps. A row is committed, which the trigger finds. Logs without deltas are read in a snapshot.
The row is completed if it is still there.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from storage.columns import ROLLUP_SUMS
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import asyncpg

    from storage.pool import Connection

_QUERIES: Final = load_queries(__file__)
DIMENSIONS: Final = ("user", "session", "release", "tag")
QUARTER: Final = 15
HOUR: Final = 60
DAY: Final = 1_440
WEEK: Final = 10_080
TIERS: Final = (QUARTER, HOUR, DAY, WEEK)
"""Lengths of the stretches of time that have digests, in minutes. Each divides the next."""


class Span(NamedTuple):
    """A stretch of time of a project that has, or may have, a digest."""

    project_id: str
    start: datetime
    tier_minutes: int

    @property
    def end(self) -> datetime:
        """Exclusive."""
        return self.start + timedelta(minutes=self.tier_minutes)

    def values(self) -> dict[str, object]:
        """Return the parameters that queries of its logs share."""
        return {"project_id": self.project_id, "start": self.start, "end": self.end}

    def key(self) -> dict[str, object]:
        """Return the parameters that queries of its row share."""
        return {"project_id": self.project_id, "start": self.start, "tier_minutes": self.tier_minutes}


class GroupNumbers(NamedTuple):
    """A group and its numbers."""

    name: str
    sums: tuple[int, ...]
    """In the order of ROLLUP_SUMS; larger ones are 2^63 - 1."""
    sketches: tuple[bytes, ...]
    """In the order of SKETCH_COUNTS."""


class Digest(NamedTuple):
    """The groups of one dimension; see analytics.log_digests. All is None where they are too many."""

    group_count: int | None = None
    groups: bytes | None = None
    details: bytes | None = None


async def try_lock(connection: Connection) -> bool:
    """Keep other makers out until the connection is given back; False where one is at work."""
    row = await connection.fetch_one(_QUERIES["try_lock"])
    return bool(row is not None and row["locked"])


async def list_missing(
    connection: Connection, tier_minutes: int, *, start: datetime, end: datetime, limit: int
) -> list[Span]:
    """Return stretches of time, the newest first, that have no digest and of which one may be made.

    Args:
        connection: Is asked.
        tier_minutes: How long they are.
        start: Of shorter ones than days those from then on.
        end: Until when they are over.
        limit: How many.
    """
    if tier_minutes in {QUARTER, HOUR}:
        rows = await connection.fetch(
            _QUERIES["list_missing_short"], tier_minutes=tier_minutes, start=start, end=end, row_limit=limit
        )
    else:
        rows = await connection.fetch(
            _QUERIES["list_missing_long"],
            tier_minutes=tier_minutes,
            part_minutes=part_of(tier_minutes),
            row_limit=limit,
        )
    return [Span(row["project_id"], row["start_time"], tier_minutes) for row in rows]


def part_of(tier_minutes: int) -> int:
    """Return the tier of the digests that those of a tier are made from."""
    return TIERS[TIERS.index(tier_minutes) - 1]


async def begin_making(connection: Connection, span: Span, making: UUID) -> bool:
    """Commit the row of a digest that is to be made; False where it is made already."""
    row = await connection.fetch_one(_QUERIES["begin_making"], making=making, **span.key())
    return row is not None


async def can_be_made(connection: Connection, span: Span) -> bool:
    """Tell whether logs of a span are kept, and what changed them merged, in the snapshot that reads them."""
    row = await connection.fetch_one(_QUERIES["can_be_made"], **span.values())
    return bool(row is not None and row["can_be_made"])


async def page_logs(
    connection: Connection, span: Span, page_size: int
) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Yield the logs of a span, a page at a time.

    Each has its user, session, release, tags as JSON or None, the buckets of both sketches or None, and what
    it adds to ROLLUP_SUMS.
    """
    after: tuple[datetime, UUID] = (span.start - timedelta(microseconds=1), UUID(int=0))
    while True:
        rows = await connection.fetch(
            _QUERIES["page_logs"],
            after_time=after[0],
            after_id=after[1],
            row_limit=page_size,
            **span.values(),
        )
        yield [row[:-2] for row in rows]
        if len(rows) < page_size:
            return
        after = rows[-1][-2:]


def to_numbers(row: asyncpg.Record) -> GroupNumbers:
    """Return the numbers of a row that has a group, ROLLUP_SUMS and SKETCH_COUNTS, in this order."""
    name, *sums = row[: 1 + len(ROLLUP_SUMS)]
    return GroupNumbers(name, tuple(sums), row[1 + len(ROLLUP_SUMS) :])


async def read_parts(connection: Connection, span: Span) -> list[dict[str, Digest]]:
    """Return the digests of the next shorter tier within a span, by dimension; none unless all are there."""
    part_minutes = part_of(span.tier_minutes)
    rows = await connection.fetch(_QUERIES["list_parts"], part_minutes=part_minutes, **span.values())
    if len(rows) < span.tier_minutes // part_minutes:
        return []
    return [
        {each: Digest(None, row[f"{each}_groups"], row[f"{each}_details"]) for each in DIMENSIONS}
        for row in rows
    ]


async def finish_making(
    connection: Connection, span: Span, making: UUID, digests: Mapping[str, Digest]
) -> bool:
    """Complete the row that was begun; False where it is gone, because logs have changed since."""
    values: dict[str, object] = {}
    for dimension, digest in digests.items():
        values[f"{dimension}_count"] = digest.group_count
        values[f"{dimension}_groups"] = digest.groups
        values[f"{dimension}_details"] = digest.details
    row = await connection.fetch_one(_QUERIES["finish_making"], making=making, **span.key(), **values)
    return row is not None


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
    """Return the digests that begin in a window and are right, in order of time, the shorter first."""
    values = {"project_id": project_id, "start": window[0], "end": window[1]}
    rows = await connection.fetch(_QUERIES["list_digests"], dimension=dimension, **values)
    found = [FoundDigest(*row.values()) for row in rows]
    if not found:
        return []
    values["end"] = max(each.end for each in found)
    changed = [row["minute"] for row in await connection.fetch(_QUERIES["list_changed_minutes"], **values)]
    return [each for each in found if bisect_left(changed, each.start) == bisect_left(changed, each.end)]


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


async def forget_before(connection: Connection, horizon: datetime, tier_minutes: int | None = None) -> None:
    """Delete the digests, of a tier or of all, that begin before a horizon."""
    await connection.fetch(_QUERIES["forget_before"], horizon=horizon, tier_minutes=tier_minutes)


async def forget_hour(connection: Connection, project_id: str, hour: datetime) -> None:
    """Delete all digests that hold logs of an hour."""
    await connection.fetch(_QUERIES["forget_hour"], project_id=project_id, hour=hour)

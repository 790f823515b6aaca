"""Makes digests of a stretch of time, from its logs or from the digests of its parts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from analytics.extensions import LogGrouper, add_up, count_buckets, pack_buckets, pack_group, read_groups
from storage.columns import ROLLUP_SUMS
from storage.log_digests import (
    DIMENSIONS,
    HOUR,
    QUARTER,
    Digest,
    GroupNumbers,
    begin_making,
    can_be_made,
    finish_making,
    page_logs,
    read_parts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from storage.log_digests import Span
    from storage.pool import Connection

MAX_GROUPS: Final = 200_000
"""Groups of a digest, which take some 20 MB; where there are more, the logs are read."""

_LOGS_AT_ONCE: Final = 5_000
_PAIR_BYTES: Final = 3
"""Of the sketch of one call, which is as short as it gets. Most groups have one in a quarter of an hour."""


async def make_digest(connection: Connection, span: Span, max_groups: int = MAX_GROUPS) -> bool:
    """Make the digest of a span; False where its logs have changed meanwhile, or their changes wait.

    Args:
        connection: Not in a transaction.
        span: Of which time.
        max_groups: Groups that a dimension may have.

    Raises:
        StorageError: Nothing was made; try again.
    """
    making = uuid4()
    if not await begin_making(connection, span, making):
        return True
    async with connection.transaction(read_only=True):
        if not await can_be_made(connection, span):
            return False
        parts = await read_parts(connection, span) if span.tier_minutes > QUARTER else []
        if span.tier_minutes > HOUR and not parts:
            return False
        if parts:
            digests = await asyncio.to_thread(_merge_all, parts, max_groups)
        else:
            digests = await _read_digests(connection, span, max_groups)
    return await finish_making(connection, span, making, digests)


async def _read_digests(connection: Connection, span: Span, max_groups: int) -> dict[str, Digest]:
    grouper = LogGrouper(len(ROLLUP_SUMS))
    async for logs in page_logs(connection, span, _LOGS_AT_ONCE):
        await asyncio.to_thread(grouper.add, logs)
        grouper.drop_large(max_groups)
    return await asyncio.to_thread(_pack_all, grouper)


def _pack_all(grouper: LogGrouper) -> dict[str, Digest]:
    packed = {dimension: grouper.pack(place) for place, dimension in enumerate(DIMENSIONS)}
    return {dimension: Digest(*(found or ())) for dimension, found in packed.items()}


def _merge_all(parts: Sequence[dict[str, Digest]], max_groups: int) -> dict[str, Digest]:
    return {each: merge_digests([part[each] for part in parts], max_groups) for each in DIMENSIONS}


def pack_digest(found: Iterable[GroupNumbers] | None) -> Digest:
    """Return the digest of groups; an empty one of None, which are too many. Not on an event loop."""
    if found is None:
        return Digest()
    named = [(each.name.encode(), each) for each in found]
    named.sort(key=lambda item: (-item[1].sums[0], item[0]))
    groups: list[bytes] = []
    details: list[bytes] = []
    before = b""
    for name, each in named:
        entry, record = pack_group(before, name, each.sums, *map(_shorten, each.sketches))
        groups.append(entry)
        details.append(record)
        before = name
    return Digest(len(named), b"".join(groups), b"".join(details))


def merge_digests(parts: Sequence[Digest], max_groups: int) -> Digest:
    """Return the digest of what several hold. Not on an event loop."""
    records: dict[bytes, list[bytes]] = {}
    for part in parts:
        if part.groups is None or part.details is None or len(records) > max_groups:
            return Digest()
        first = 0
        for name, _, size in read_groups(part.groups):
            records.setdefault(name, []).append(part.details[first : first + size])
            first += size
    if len(records) > max_groups:
        return Digest()
    return pack_digest([_add_up(name, each) for name, each in records.items()])


def _add_up(name: bytes, records: Sequence[bytes]) -> GroupNumbers:
    sums, *sketches = add_up(records, len(ROLLUP_SUMS))
    return GroupNumbers(name.decode(), tuple(sums), tuple(sketches))


def _shorten(packed: bytes) -> bytes:
    return pack_buckets(count_buckets(packed)) if len(packed) > _PAIR_BYTES else packed

"""Makes digests of a stretch of time, from its logs or from the digests of its parts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from analytics.extensions import add_up, count_buckets, pack_buckets, pack_group, read_groups
from storage.columns import ROLLUP_SUMS
from storage.log_digests import (
    DIMENSIONS,
    HOUR_MINUTES,
    Digest,
    GroupNumbers,
    add_digests,
    read_generations,
    read_logs,
    read_parts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from storage.log_digests import Span
    from storage.pool import Connection

MAX_GROUPS: Final = 200_000
"""Groups of a digest, which take some 20 MB; where there are more, the logs are read."""


async def make_digests(connection: Connection, span: Span, max_groups: int = MAX_GROUPS) -> bool:
    """Make the digests of a span; False where its logs have changed meanwhile.

    Raises:
        StorageError: Nothing was made; try again.
    """
    async with connection.transaction(read_only=True):
        generations = await read_generations(connection, span)
        digests = [await _make_digest(connection, span, each, max_groups) for each in DIMENSIONS]
    return bool(generations) and await add_digests(connection, span, generations, digests)


async def _make_digest(connection: Connection, span: Span, dimension: str, max_groups: int) -> Digest:
    if span.tier_minutes == HOUR_MINUTES:
        found = await read_logs(connection, span, dimension, max_groups)
        return await asyncio.to_thread(pack_digest, dimension, found)
    parts = await read_parts(connection, span, dimension)
    return await asyncio.to_thread(merge_digests, dimension, parts, max_groups)


def pack_digest(dimension: str, found: Iterable[GroupNumbers] | None) -> Digest:
    """Return the digest of groups; an empty one of None, which are too many. Not on an event loop."""
    if found is None:
        return Digest(dimension, 0, None, None)
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
    return Digest(dimension, len(named), b"".join(groups), b"".join(details))


def merge_digests(dimension: str, parts: Sequence[Digest], max_groups: int) -> Digest:
    """Return the digest of what several hold. Not on an event loop."""
    records: dict[bytes, list[bytes]] = {}
    for part in parts:
        if part.groups is None or part.details is None or len(records) > max_groups:
            return pack_digest(dimension, None)
        first = 0
        for name, _, size in read_groups(part.groups):
            records.setdefault(name, []).append(part.details[first : first + size])
            first += size
    if len(records) > max_groups:
        return pack_digest(dimension, None)
    return pack_digest(dimension, [_add_up(name, each) for name, each in records.items()])


def _add_up(name: bytes, records: Sequence[bytes]) -> GroupNumbers:
    sums, *sketches = add_up(records, len(ROLLUP_SUMS))
    return GroupNumbers(name.decode(), tuple(sums), tuple(sketches))


def _shorten(packed: bytes) -> bytes:
    return pack_buckets(count_buckets(packed))

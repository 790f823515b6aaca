"""Digests: the groups of a stretch of time with their numbers, as bytes (docs/decisions/0038-log-digests.md).

A digest has two parts. `groups` are the names, each with its requests and the length of its record, most
requests first and equal ones by name: a name is the length of what it shares with the one before, and the
rest of it. `details` are the records in the same order: a mask of the sums that are not 0, these sums, and
two packed counts, the first with its length. Lengths, counts and the mask are varints; sums are zigzag
varints of 64 bits.

analytics._log_digests does the same in C; analytics.extensions chooses.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final, NamedTuple

from analytics.varints import LOW_BITS, MORE, write_varint, zigzag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_SHIFT: Final = 63
_MAX_SUM: Final = (1 << 63) - 1
"""Larger sums are this."""


class GroupEntry(NamedTuple):
    """A group of a digest."""

    name: bytes
    """In UTF-8."""
    request_count: int
    size: int
    """Bytes of its record; records lie one after the other."""


class RankedGroup(NamedTuple):
    """A group of several digests and of raw rows."""

    name: str
    request_count: int
    places: list[tuple[int, int, int]]
    """Where its records lie: which digest, the first byte in its details, and how many."""


def pack_group(
    before: bytes, name: bytes, sums: Sequence[int], first_count: bytes, second_count: bytes
) -> tuple[bytes, bytes]:
    """Return a group's bytes in `groups` and its record, the first sum being its requests.

    Args:
        before: The name of the group before it, or b"".
        name: Its name in UTF-8.
        sums: Of 64 bits.
        first_count: Packed counts.
        second_count: Others.
    """
    mask = sum(1 << place for place, number in enumerate(sums) if number)
    record = b"".join(
        (
            write_varint(mask),
            *(write_varint(zigzag(number)) for number in sums if number),
            write_varint(len(first_count)),
            first_count,
            second_count,
        )
    )
    shared = 0
    while shared < min(len(before), len(name)) and before[shared] == name[shared]:
        shared += 1
    entry = b"".join(
        (
            write_varint(shared),
            write_varint(len(name) - shared),
            name[shared:],
            write_varint(sums[0]),
            write_varint(len(record)),
        )
    )
    return entry, record


def read_groups(groups: bytes) -> list[GroupEntry]:
    """Return the groups of a digest.

    Raises:
        ValueError: Nobody packed these bytes.
    """
    found: list[GroupEntry] = []
    at, name = 0, b""
    while at < len(groups):
        shared, at = _read_varint(groups, at)
        size, at = _read_varint(groups, at)
        if shared > len(name) or at + size > len(groups):
            raise ValueError("a digest ends too early")
        name = name[:shared] + groups[at : at + size]
        count, at = _read_varint(groups, at + size)
        length, at = _read_varint(groups, at)
        found.append(GroupEntry(name, count, length))
    return found


def add_up(records: Iterable[bytes], sum_count: int) -> tuple[list[int], bytes, bytes]:
    """Return the sums of a group's records, and its packed counts, joined.

    Args:
        records: Of its digests.
        sum_count: How many sums a record has.

    Raises:
        ValueError: Nobody packed these bytes.
    """
    sums = [0] * sum_count
    first: list[bytes] = []
    second: list[bytes] = []
    for record in records:
        mask, at = _read_varint(record, 0)
        if mask >> sum_count:
            raise ValueError("a digest has other sums")
        for place in range(sum_count):
            if mask >> place & 1:
                number, at = _read_varint(record, at)
                sums[place] = min(_MAX_SUM, sums[place] + (number >> 1 ^ -(number & 1)))
        size, at = _read_varint(record, at)
        if at + size > len(record):
            raise ValueError("a digest ends too early")
        first.append(record[at : at + size])
        second.append(record[at + size :])
    return sums, b"".join(first), b"".join(second)


def rank(
    digests: Sequence[bytes], names: Sequence[str], counts: Sequence[int], limit: int
) -> list[RankedGroup]:
    """Return the groups with the most requests, equal ones by name, over digests and raw rows.

    Args:
        digests: The `groups` of each.
        names: Groups of raw rows.
        counts: The requests of each of these.
        limit: Groups to return.

    Raises:
        ValueError: Nobody packed these bytes.
    """
    totals: dict[bytes, int] = {}
    places: dict[bytes, list[tuple[int, int, int]]] = {}
    for name, count in zip(names, counts, strict=True):
        key = name.encode()
        totals[key] = totals.get(key, 0) + count
    for number, groups in enumerate(digests):
        first = 0
        for key, count, size in read_groups(groups):
            totals[key] = totals.get(key, 0) + count
            places.setdefault(key, []).append((number, first, size))
            first += size
    best = heapq.nsmallest(limit, totals.items(), key=lambda item: (-item[1], item[0]))
    return [RankedGroup(key.decode(), count, places.get(key, [])) for key, count in best]


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number below 2^64, and where the next one begins."""
    value = shift = 0
    while at < len(data) and shift <= _MAX_SHIFT:
        value |= (data[at] & LOW_BITS) << shift
        if data[at] < MORE:
            return value & (1 << 64) - 1, at + 1
        at, shift = at + 1, shift + 7
    raise ValueError("a digest ends too early")

"""Counts by sketch bucket or by text, as bytes that add up by being joined.

A bucket's pair is its number in two bytes, big-endian, and its count; a text's pair is its length in two
bytes, the text in UTF-8, and its count. A count is a zigzag varint of up to ten bytes, as protobuf's sint64.
A bucket or a text may come several times, and then its counts are added: so joining the bytes of two sets of
calls gives those of both, and SQL can do it (string_agg, ||). A count may be negative: what a correction
takes out.

Source of the varint: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from analytics.varints import LOW_BITS, MORE, write_varint, zigzag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_VARINT_BYTES: Final = 10
_BUCKET_BYTES: Final = 2
_LENGTH_BYTES: Final = 2
OTHER: Final = "other"
"""Counts the texts for which there is no room."""
MAX_TEXTS: Final = 100
"""Texts that a rollup tells apart."""


def pack_buckets(counts: Iterable[tuple[int, int]]) -> bytes:
    """Return the bytes of (bucket, count) pairs, in their order."""
    return b"".join(
        bucket.to_bytes(_BUCKET_BYTES, "big") + write_varint(zigzag(count)) for bucket, count in counts
    )


def count_buckets(data: bytes) -> list[tuple[int, int]]:
    """Return the (bucket, count) pairs, each bucket once and in order; counts of 0 are left out.

    Raises:
        ValueError: Nobody packed these bytes.
    """
    counts: Counter[int] = Counter()
    at = 0
    while at < len(data):
        bucket = int.from_bytes(_take(data, at, _BUCKET_BYTES), "big")
        count, at = _read_varint(data, at + _BUCKET_BYTES)
        counts[bucket] += count
    return sorted((bucket, count) for bucket, count in counts.items() if count)


def find_quantiles(data: bytes, fractions: Sequence[float]) -> list[int]:
    """Return the bucket of each quantile, of the call with rank floor(q * (n - 1)); nothing where n is 0.

    Args:
        data: Packed buckets.
        fractions: Ascending.

    Raises:
        ValueError: Nobody packed these bytes.
    """
    counts = count_buckets(data)
    total = sum(count for _, count in counts)
    found: list[int] = []
    seen = 0
    for bucket, count in counts if total > 0 else ():
        seen += count
        while len(found) < len(fractions) and seen > math.floor(fractions[len(found)] * (total - 1)):
            found.append(bucket)
    return found


def same_buckets(expected: bytes, found: bytes) -> bool:
    """Tell whether both say the same."""
    return count_buckets(expected) == count_buckets(found)


def pack_texts(counts: Iterable[tuple[str, int]]) -> bytes:
    """Return the bytes of (text, count) pairs, in their order."""
    return b"".join(
        len(data := text.encode()).to_bytes(_LENGTH_BYTES, "big") + data + write_varint(zigzag(count))
        for text, count in counts
    )


def count_texts(data: bytes) -> dict[str, int]:
    """Return the count of each text, in the order in which they came; counts of 0 are kept.

    Raises:
        ValueError: Nobody packed these bytes.
    """
    counts: dict[str, int] = {}
    at = 0
    while at < len(data):
        size = int.from_bytes(_take(data, at, _LENGTH_BYTES), "big")
        text = _take(data, at + _LENGTH_BYTES, size).decode()
        count, at = _read_varint(data, at + _LENGTH_BYTES + size)
        counts[text] = counts.get(text, 0) + count
    return counts


def merge_texts(data: bytes, max_texts: int = MAX_TEXTS) -> bytes:
    """Return the shortest bytes with the same counts, those of further texts added up as `other`.

    The texts that came first stay: a later correction finds a text where it was counted.
    """
    counts = count_texts(data)
    named = dict([item for item in counts.items() if item[0] != OTHER][:max_texts])
    rest = sum(counts.values()) - sum(named.values())
    if rest or OTHER in counts:
        named[OTHER] = rest
    return pack_texts(named.items())


def same_texts(expected: bytes, found: bytes, max_texts: int = MAX_TEXTS) -> bool:
    """Tell whether both say the same, but for what `found` had no room for and counts as `other`."""
    # What was joined to a full rollup may be named, and counts as `other` once it is merged.
    wanted, named = count_texts(expected), count_texts(merge_texts(found, max_texts))
    total, others = sum(named.values()), named.pop(OTHER, 0)
    wrong = [text for text, count in named.items() if wanted.get(text, 0) != count]
    missing = [text for text, count in wanted.items() if count and text not in named and text != OTHER]
    return total == sum(wanted.values()) and not wrong and (others > 0 or not missing)


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise ValueError("packed counts end too early")
    return data[at : at + size]


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a count, and where the next pair begins."""
    value = 0
    for place, byte in enumerate(data[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & LOW_BITS) << (7 * place)
        if byte < MORE:
            return value >> 1 ^ -(value & 1), at + place + 1
    raise ValueError("packed counts end too early")

"""Which digests and which logs make up a window, and which parts of digests hold some groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from storage.log_breakdowns import Range
from storage.log_digests import FoundDigest, Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.log_digests import RankedGroup
    from analytics.windows import Window

MAX_ENTRIES: Final = 1_000_000
"""Groups of all digests of an answer, which take some 100 MB while they are ranked. Then logs are read."""
_GAP: Final = 4_096
"""Bytes between two records that are read along, because another look costs more."""
Place = tuple[int, int, int]
"""Which piece, the first byte in it, and how many."""


class Plan(NamedTuple):
    """What makes up a window."""

    digests: list[FoundDigest]
    ranges: list[Range]
    """Of which logs are read."""


def make_plan(window: Window, found: Sequence[FoundDigest]) -> Plan:
    """Return the longest digests that lie within a window, and what they leave.

    Args:
        window: What is to be covered.
        found: Digests in order of time, the shorter first.
    """
    longest: dict[object, FoundDigest] = {
        each.start: each for each in found if window.start <= each.start and each.end <= window.end
    }
    digests: list[FoundDigest] = []
    ranges: list[Range] = []
    at, entries = window.start, 0
    for digest in longest.values():
        if digest.start < at or entries + digest.group_count > MAX_ENTRIES:
            continue
        if digest.start > at:
            ranges.append(Range(at, digest.start))
        digests.append(digest)
        at, entries = digest.end, entries + digest.group_count
    if at < window.end:
        ranges.append(Range(at, window.end))
    return Plan(digests, ranges)


def list_pieces(
    digests: Sequence[FoundDigest], ranked: Sequence[RankedGroup]
) -> tuple[list[Piece], list[list[Place]]]:
    """Return the pieces of details that hold the records of some groups, and where in them each lies."""
    wanted = sorted(
        (digest, first, size, group)
        for group, each in enumerate(ranked)
        for digest, first, size in each.places
    )
    pieces: list[tuple[int, int, int]] = []
    places: list[list[Place]] = [[] for _ in ranked]
    piece = (-1, 0, 0)
    for number, first, size, group in wanted:
        if number == piece[0] and first <= piece[2] + _GAP:
            piece = pieces[-1] = (number, piece[1], first + size)
        else:
            piece = (number, first, first + size)
            pieces.append(piece)
        places[group].append((len(pieces) - 1, first - piece[1], size))
    return [Piece(digests[number], first, end - first) for number, first, end in pieces], places

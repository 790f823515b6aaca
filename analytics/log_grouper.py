"""Groups logs by user, session, release and tag, and packs what they add up to (analytics.log_digests).

analytics._log_grouper does the same in C; analytics.extensions chooses.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from analytics.log_digests import pack_group
from analytics.packed_counts import pack_buckets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_SUM: Final = (1 << 63) - 1
"""Larger sums are this."""
_NAMES: Final = 4
_TAGS: Final = 3
"""How many dimensions a log has names of, and which of them are its tags."""
_NO_TAGS: Final = '[""]'


class _Group(NamedTuple):
    sums: list[int]
    first: list[int]
    second: list[int]


class LogGrouper:
    """Groups logs in four dimensions: user, session, release and tag.

    Args:
        sum_count: How many sums a log has, of which the first is its requests.
    """

    def __init__(self, sum_count: int) -> None:
        self._sum_count = sum_count
        self._groups: list[dict[str, _Group] | None] = [{} for _ in range(_NAMES)]

    def add(self, logs: Iterable[Sequence[Any]]) -> None:
        """Add logs: user, session, release, tags as JSON or None, two buckets or None, and sums."""
        for log in logs:
            for place, groups in enumerate(self._groups):
                if groups is not None:
                    names = set(json.loads(log[place] or _NO_TAGS)) if place == _TAGS else (log[place],)
                    for name in names:
                        self._add(groups, name, log[_NAMES:])

    def _add(self, groups: dict[str, _Group], name: str, numbers: Sequence[Any]) -> None:
        group = groups.setdefault(name, _Group([0] * self._sum_count, [], []))
        first, second, *sums = numbers
        for place, value in enumerate(sums):
            group.sums[place] = min(_MAX_SUM, group.sums[place] + value)
        for buckets, bucket in ((group.first, first), (group.second, second)):
            if bucket is not None:
                buckets.append(bucket)

    def drop_large(self, max_groups: int) -> None:
        """Forget the dimensions that have more groups, now and for what is added."""
        self._groups = [None if each is None or len(each) > max_groups else each for each in self._groups]

    def pack(self, place: int) -> tuple[int, bytes, bytes] | None:
        """Return how many groups a dimension has, and its digest; None where it was dropped."""
        found = self._groups[place]
        if found is None:
            return None
        named = [(name.encode(), group) for name, group in found.items()]
        named.sort(key=lambda item: (-item[1].sums[0], item[0]))
        groups, details, before = [], [], b""
        for name, group in named:
            sketches = (pack_buckets(sorted(Counter(each).items())) for each in (group.first, group.second))
            entry, record = pack_group(before, name, group.sums, *sketches)
            groups.append(entry)
            details.append(record)
            before = name
        return len(named), b"".join(groups), b"".join(details)

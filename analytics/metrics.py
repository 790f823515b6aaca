"""Sums of rollups as the numbers a person reads: counts, sums, and distributions with percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analytics.extensions import find_quantiles
from analytics.sketch import estimate
from storage.columns import PACKED_COUNTS, ROLLUP_SUMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from storage.rollups import Cell, Numbers, Packed

_MAX_SUM: Final = (1 << 63) - 1
"""Larger sums are this, as in a cell: messages hold no larger ones."""
_FRACTIONS: Final = (0.5, 0.9, 0.95, 0.99)
_SUMS: Final = tuple(each.name for each in ROLLUP_SUMS)
_PACKED: Final = tuple(each.name for each in PACKED_COUNTS)


class Distribution(NamedTuple):
    """Durations in microseconds. The average is exact; percentiles are within 1 %."""

    value_count: int
    average_us: float
    p50_us: float
    p90_us: float
    p95_us: float
    p99_us: float


class Metrics:
    """Numbers of a set of calls: the sums of rollups by name, and two distributions.

    Reading a distribution may take a millisecond for a large set: not on an event loop.
    """

    __slots__ = ("packed", "sums")
    sums: Numbers
    packed: Packed

    def __init__(self, cells: Iterable[Cell] = ()) -> None:
        found = list(cells)
        if len(found) == 1:
            self.sums, self.packed = found[0].sums, found[0].packed
        else:
            self.sums = {name: min(_MAX_SUM, sum(cell.sums[name] for cell in found)) for name in _SUMS}
            self.packed = {name: b"".join(cell.packed[name] for cell in found) for name in _PACKED}

    @property
    def success_rate(self) -> float | None:
        """Successes among requests; None when there are none."""
        requests = self.sums["request_count"]
        return self.sums["success_count"] / requests if requests else None

    @property
    def unpriced_count(self) -> int:
        """Requests whose cost is unknown."""
        return self.sums["request_count"] - self.sums["priced_count"]

    @property
    def latency(self) -> Distribution | None:
        """Latency of successful calls."""
        return self._distribution("latency_sketch", "latency_count", "latency_us_sum")

    @property
    def time_to_first_token(self) -> Distribution | None:
        """Time to first token of successful calls."""
        return self._distribution("ttft_sketch", "ttft_count", "ttft_us_sum")

    def _distribution(self, sketch: str, count_name: str, sum_name: str) -> Distribution | None:
        count = self.sums[count_name]
        points = [estimate(bucket) for bucket in find_quantiles(self.packed[sketch], _FRACTIONS)]
        return Distribution(count, self.sums[sum_name] / count, *points) if count > 0 and points else None

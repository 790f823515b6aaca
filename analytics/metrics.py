"""Sums of rollups as the numbers a person reads: counts, sums, and distributions with percentiles."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from analytics.sketch import quantiles
from storage.columns import ROLLUP_SUMS
from storage.rollups import sum_rollups

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import asyncpg

    from storage.pool import Database
    from storage.rollups import RollupQuery

_FRACTIONS: Final = (0.5, 0.9, 0.95, 0.99)
_SUMS: Final = tuple(each.name for each in ROLLUP_SUMS)
MAX_SERIES: Final = 20
"""Series a time-series query returns before the rest is summed."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Durations in microseconds. The average is exact; percentiles are within 1 %."""

    count: int
    average_us: float
    p50_us: float
    p90_us: float
    p95_us: float
    p99_us: float


class Metrics:
    """Numbers of a set of calls: the sums of hourly_rollups by name, and two distributions."""

    __slots__ = ("_buckets", "sums")

    def __init__(self) -> None:
        self.sums: dict[str, int] = dict.fromkeys(_SUMS, 0)
        self._buckets: dict[int, list[int]] = {}

    def add_sums(self, record: asyncpg.Record) -> None:
        """Add a row of sum_rollups."""
        for name in _SUMS:
            self.sums[name] += int(record[name])

    def add_bucket(self, bucket: int, latency_count: int, ttft_count: int) -> None:
        """Add a row of sum_sketches."""
        counts = self._buckets.setdefault(bucket, [0, 0])
        counts[0] += latency_count
        counts[1] += ttft_count

    def add(self, other: Metrics) -> None:
        """Add other numbers to these."""
        for name in _SUMS:
            self.sums[name] += other.sums[name]
        for bucket, (latency_count, ttft_count) in other._buckets.items():
            self.add_bucket(bucket, latency_count, ttft_count)

    @property
    def success_rate(self) -> float | None:
        """Successes among requests; None when there are none."""
        requests = self.sums["request_count"]
        return self.sums["success_count"] / requests if requests else None

    @property
    def latency(self) -> Distribution | None:
        """Latency of successful calls."""
        return self._distribution(0, "latency_count", "latency_us_sum")

    @property
    def time_to_first_token(self) -> Distribution | None:
        """Time to first token of successful calls."""
        return self._distribution(1, "ttft_count", "ttft_us_sum")

    def _distribution(self, measure: int, count_name: str, sum_name: str) -> Distribution | None:
        count = self.sums[count_name]
        points = quantiles([(b, counts[measure]) for b, counts in sorted(self._buckets.items())], _FRACTIONS)
        return Distribution(count, self.sums[sum_name] / count, *points) if count > 0 and points else None


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart: points in order of time; empty steps are left out."""

    group: str
    points: list[tuple[datetime, Metrics]]
    remainder: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """One row of a breakdown."""

    value: str
    metrics: Metrics


async def summarise(database: Database, query: RollupQuery) -> Metrics:
    """Return the numbers of the whole window."""
    cells = await _read(database, replace(query, step=query.end_hour - query.start_hour, group_by=""))
    return _total(cells.values())


async def time_series(database: Database, query: RollupQuery) -> list[Series]:
    """Return a series for each group, the largest first; those beyond MAX_SERIES are summed as one."""
    cells = await _read(database, query)
    by_group: dict[str, dict[datetime, Metrics]] = defaultdict(dict)
    for (step, group), metrics in cells.items():
        by_group[group][step] = metrics
    ranked = sorted(by_group.items(), key=_largest_first)
    series = [Series(group, sorted(points.items())) for group, points in ranked[:MAX_SERIES]]
    if rest := ranked[MAX_SERIES:]:
        steps: dict[datetime, Metrics] = defaultdict(Metrics)
        for _, points in rest:
            for step, metrics in points.items():
                steps[step].add(metrics)
        series.append(Series("other", sorted(steps.items()), remainder=True))
    return series


async def breakdown(database: Database, query: RollupQuery, limit: int) -> tuple[list[Group], Metrics]:
    """Return the largest groups and the numbers of all groups together."""
    cells = await _read(database, replace(query, step=query.end_hour - query.start_hour))
    groups = [Group(group, metrics) for (_, group), metrics in cells.items()]
    groups.sort(key=lambda group: (-group.metrics.sums["request_count"], group.value))
    return groups[:limit], _total(cells.values())


async def _read(database: Database, query: RollupQuery) -> dict[tuple[datetime, str], Metrics]:
    found = await sum_rollups(database, query)
    cells: dict[tuple[datetime, str], Metrics] = defaultdict(Metrics)
    for row in found.sums:
        cells[row["step_start"], row["group_value"]].add_sums(row)
    for row in found.buckets:
        cell = cells.get((row["step_start"], row["group_value"]))
        if cell is not None:
            cell.add_bucket(row["bucket"], row["latency_count"], row["ttft_count"])
    return cells


def _largest_first(item: tuple[str, dict[datetime, Metrics]]) -> tuple[int, str]:
    group, points = item
    return -sum(metrics.sums["request_count"] for metrics in points.values()), group


def _total(parts: Iterable[Metrics]) -> Metrics:
    total = Metrics()
    for part in parts:
        total.add(part)
    return total

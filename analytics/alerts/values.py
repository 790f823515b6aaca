"""What a rule watches: the metrics by name, their units, and how their values are written."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from analytics.metrics import Metrics

QUEUE_AGE: Final = "queue_age"
DEAD_LETTERS: Final = "dead_letters"
SYSTEM_METRICS: Final = frozenset({QUEUE_AGE, DEAD_LETTERS})
"""Metrics that are not read from rollups."""
_MICROSECONDS: Final = 1_000_000
_NANO: Final = 1_000_000_000


def _error_rate(metrics: Metrics) -> float | None:
    requests = metrics.sums["request_count"]
    return metrics.sums["error_count"] / requests if requests else None


def _latency_p95(metrics: Metrics) -> float | None:
    latency = metrics.latency
    return latency.p95_us / _MICROSECONDS if latency else None


def _latency_p99(metrics: Metrics) -> float | None:
    latency = metrics.latency
    return latency.p99_us / _MICROSECONDS if latency else None


def _ttft_p95(metrics: Metrics) -> float | None:
    ttft = metrics.time_to_first_token
    return ttft.p95_us / _MICROSECONDS if ttft else None


def _cost(metrics: Metrics) -> float | None:
    """Cost of calls without a known price is unknown, never 0."""
    if metrics.sums["request_count"] and not metrics.sums["priced_count"]:
        return None
    return float(metrics.sums["cost_nano_usd_sum"])


def _unpriced_share(metrics: Metrics) -> float | None:
    requests = metrics.sums["request_count"]
    return metrics.unpriced_count / requests if requests else None


METRICS: Final[Mapping[str, Callable[[Metrics], float | None]]] = {
    "error_rate": _error_rate,
    "latency_p95": _latency_p95,
    "latency_p99": _latency_p99,
    "ttft_p95": _ttft_p95,
    "cost": _cost,
    "tokens": lambda metrics: float(metrics.sums["total_token_sum"]),
    "request_count": lambda metrics: float(metrics.sums["request_count"]),
    "unpriced_share": _unpriced_share,
}
"""Values by the word of AlertMetric. None is no data, which is not zero."""
SKETCH_OF: Final = {
    "latency_p95": "latency_sketch",
    "latency_p99": "latency_sketch",
    "ttft_p95": "ttft_sketch",
}
"""Which packed counts a metric needs, if any."""
TITLES: Final = {
    "error_rate": "error rate",
    "latency_p95": "p95 latency",
    "latency_p99": "p99 latency",
    "ttft_p95": "p95 time to first token",
    "cost": "cost",
    "tokens": "tokens",
    "request_count": "requests",
    "unpriced_share": "share of calls without a price",
    QUEUE_AGE: "age of the queue",
    DEAD_LETTERS: "dead letters",
}
_SHARES: Final = frozenset({"error_rate", "unpriced_share"})
_DURATIONS: Final = frozenset({"latency_p95", "latency_p99", "ttft_p95", QUEUE_AGE})


def format_value(metric: str, value: float, *, relative: bool = False) -> str:
    """Return a value with its unit, for people."""
    if relative:
        return f"{value:.3g} times the window before"
    if metric in _SHARES:
        return f"{value * 100:.3g} %"
    if metric in _DURATIONS:
        return f"{value:,.4g} s"
    if metric == "cost":
        return format_usd(value)
    return f"{value:,.0f}"


def format_usd(nano_usd: float) -> str:
    """Return an amount in US dollars: cents, and more digits below a dollar."""
    usd = nano_usd / _NANO
    return f"${usd:,.2f}" if abs(usd) >= 1 or not usd else f"${usd:.4g}"


def format_length(length: timedelta) -> str:
    """Return a length of time in the largest unit that it is whole in, for people."""
    units = {"day": timedelta(days=1), "hour": timedelta(hours=1), "minute": timedelta(minutes=1)}
    for name, unit in units.items():
        if length and not length % unit:
            count = length // unit
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return f"{length.total_seconds():g} seconds"

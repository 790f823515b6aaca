"""Converts metrics to messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llm_observe.v1.analytics_service_pb2 import Distribution, Metrics

from server.rpc.times import to_duration
from storage.columns import ROLLUP_SUMS

if TYPE_CHECKING:
    from analytics.metrics import Distribution as Durations
    from analytics.metrics import Metrics as Numbers

_MAX_INT64: Final = (1 << 63) - 1
_SUMS: Final = tuple(
    (field, each.name)
    for each in ROLLUP_SUMS
    for field in (each.column or each.name,)
    if field in Metrics.DESCRIPTOR.fields_by_name
)
"""Fields of Metrics and the sums that they show."""


def to_metrics(metrics: Numbers) -> Metrics:
    """Convert metrics; sums that do not fit into an int64 become the largest.

    Not on an event loop: the distributions of many large sets take a while.
    """
    sums: dict[str, Any] = {field: min(metrics.sums[name], _MAX_INT64) for field, name in _SUMS}
    message = Metrics(**sums, unpriced_count=metrics.unpriced_count)
    if metrics.success_rate is not None:
        message.success_rate = metrics.success_rate
    if metrics.latency is not None:
        message.latency.CopyFrom(_distribution(metrics.latency))
    if metrics.time_to_first_token is not None:
        message.time_to_first_token.CopyFrom(_distribution(metrics.time_to_first_token))
    return message


def _distribution(distribution: Durations) -> Distribution:
    parts: dict[str, Any] = {
        name: to_duration(getattr(distribution, f"{name}_us"))
        for name in ("average", "p50", "p90", "p95", "p99")
    }
    return Distribution(count=distribution.count, **parts)

"""Writes metrics into messages: in place, since there may be thousands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe.v1.analytics_service_pb2 import Distribution, Metrics

from storage.columns import ROLLUP_SUMS

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

    from analytics.metrics import Distribution as Durations
    from analytics.metrics import Metrics as Numbers

_SUMS: Final = tuple(
    (field, each.name)
    for each in ROLLUP_SUMS
    for field in (each.column or each.name,)
    if field in Metrics.DESCRIPTOR.fields_by_name
)
"""Fields of Metrics and the sums that they show."""


def fill_metrics(message: Metrics, metrics: Numbers) -> None:
    """Write metrics into an empty message.

    Not on an event loop: the distributions of many large sets take a while.
    """
    message.SetInParent()  # there, also where all is 0
    numbers = metrics.sums
    for field, name in _SUMS:
        if number := numbers[name]:
            setattr(message, field, number)
    if unpriced := metrics.unpriced_count:
        message.unpriced_count = unpriced
    if (success_rate := metrics.success_rate) is not None:
        message.success_rate = success_rate
    if (latency := metrics.latency) is not None:
        _fill(message.latency, latency)
    if (first_token := metrics.time_to_first_token) is not None:
        _fill(message.time_to_first_token, first_token)


def _fill(message: Distribution, distribution: Durations) -> None:
    message.count = distribution.value_count
    _set(message.average, distribution.average_us)
    _set(message.p50, distribution.p50_us)
    _set(message.p90, distribution.p90_us)
    _set(message.p95, distribution.p95_us)
    _set(message.p99, distribution.p99_us)


def _set(duration: Duration, microseconds: float) -> None:
    seconds, rest = divmod(round(microseconds), 1_000_000)
    if seconds:
        duration.seconds = seconds
    duration.nanos = rest * 1000  # set in any case, so that a duration of 0 is there

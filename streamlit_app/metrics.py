"""Reads the numbers of a Metrics message that may be unknown; durations in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamlit_app.format import seconds

if TYPE_CHECKING:
    from llm_observe.v1.analytics_service_pb2 import Metrics


def success_rate(metrics: Metrics) -> float | None:
    """Return the share of calls that succeeded, 0 to 1."""
    return metrics.success_rate if metrics.HasField("success_rate") else None


def error_rate(metrics: Metrics) -> float | None:
    """Return the share of calls that failed, 0 to 1."""
    return metrics.error_count / metrics.request_count if metrics.request_count else None


def average_latency(metrics: Metrics) -> float | None:
    """Return the average latency."""
    return seconds(metrics.latency.average) if metrics.HasField("latency") else None


def p50_latency(metrics: Metrics) -> float | None:
    """Return the median latency."""
    return seconds(metrics.latency.p50) if metrics.HasField("latency") else None


def p95_latency(metrics: Metrics) -> float | None:
    """Return the 95th percentile of latency."""
    return seconds(metrics.latency.p95) if metrics.HasField("latency") else None


def p99_latency(metrics: Metrics) -> float | None:
    """Return the 99th percentile of latency."""
    return seconds(metrics.latency.p99) if metrics.HasField("latency") else None


def first_token(metrics: Metrics) -> float | None:
    """Return the median time to first token."""
    return seconds(metrics.time_to_first_token.p50) if metrics.HasField("time_to_first_token") else None


def known_cost(metrics: Metrics) -> int | None:
    """Return the cost of the calls whose price is known, in 10^-9 US dollars."""
    return metrics.cost_nano_usd if metrics.priced_count else None

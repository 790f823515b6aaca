"""Converts rows of logs, and metrics, to messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from llm_observe.v1.analytics_service_pb2 import Distribution, Metrics
from llm_observe.v1.log_pb2 import Log, Outcome, UsageSource

from codec.words import words_of
from server.rpc.times import to_duration, to_timestamp

if TYPE_CHECKING:
    import asyncpg

    from analytics import metrics as numbers

_MAX_INT64: Final = (1 << 63) - 1
_SAME_NAME: Final = (
    "session_id", "provider", "model", "operation", "input_preview", "output_preview", "streamed",
    "response_model", "conversation_id", "user_id", "trace_id", "span_id", "parent_span_id", "error_code",
    "error_message", "finish_reason", "provider_request_id", "environment", "release", "price_version",
)  # fmt: skip
_NULLABLE: Final = (
    "input_token_count", "output_token_count", "total_token_count", "cache_read_token_count",
    "cache_write_token_count", "reasoning_token_count", "http_status", "cost_nano_usd",
)  # fmt: skip
_SUMS: Final = (
    ("request_count", "request_count"),
    ("success_count", "success_count"),
    ("error_count", "error_count"),
    ("cancelled_count", "cancelled_count"),
    ("priced_count", "priced_count"),
    ("input_token_count", "input_token_sum"),
    ("output_token_count", "output_token_sum"),
    ("total_token_count", "total_token_sum"),
    ("cache_read_token_count", "cache_read_token_sum"),
    ("cache_write_token_count", "cache_write_token_sum"),
    ("reasoning_token_count", "reasoning_token_sum"),
    ("cost_nano_usd", "cost_nano_usd_sum"),
)


def to_log(row: asyncpg.Record) -> Log:
    """Convert a log."""
    log = Log(
        log_id=str(row["log_id"]),
        start_time=to_timestamp(row["start_time"]),
        receive_time=to_timestamp(row["receive_time"]),
        outcome=words_of(Outcome).index(row["outcome"]),  # type: ignore[arg-type] # the enum's number
        usage_source=words_of(UsageSource).index(row["usage_source"]),  # type: ignore[arg-type] # as above
        metadata=json.loads(row["metadata"] or "{}"),
        tags=json.loads(row["tags"] or "[]"),
        **{field: row[field] for field in _SAME_NAME},
        **{field: row[field] for field in _NULLABLE if row[field] is not None},
    )
    for field in ("end_time", "first_token_time"):
        if row[field] is not None:
            getattr(log, field).CopyFrom(to_timestamp(row[field]))
    for field in ("latency", "time_to_first_token"):
        if row[f"{field}_us"] is not None:
            getattr(log, field).CopyFrom(to_duration(row[f"{field}_us"]))
    return log


def to_metrics(metrics: numbers.Metrics) -> Metrics:
    """Convert metrics; sums that do not fit into an int64 become the largest."""
    sums: dict[str, Any] = {field: min(metrics.sums[name], _MAX_INT64) for field, name in _SUMS}
    message = Metrics(**sums)
    if metrics.success_rate is not None:
        message.success_rate = metrics.success_rate
    if metrics.latency is not None:
        message.latency.CopyFrom(_distribution(metrics.latency))
    if metrics.time_to_first_token is not None:
        message.time_to_first_token.CopyFrom(_distribution(metrics.time_to_first_token))
    return message


def _distribution(distribution: numbers.Distribution) -> Distribution:
    parts: dict[str, Any] = {
        name: to_duration(getattr(distribution, f"{name}_us"))
        for name in ("average", "p50", "p90", "p95", "p99")
    }
    return Distribution(count=distribution.count, **parts)

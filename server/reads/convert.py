"""Rows of logs and rollups to messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from llm_observe.v1.analytics_service_pb2 import Distribution, Metrics
from llm_observe.v1.log_pb2 import Log, Outcome, UsageSource

from server.rpc.times import to_duration, to_timestamp

if TYPE_CHECKING:
    import asyncpg

    from analytics import metrics as numbers

_INT64_MAX: Final = (1 << 63) - 1
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
    """Return a row of logs as a Log."""
    log = Log(
        log_id=str(row["log_id"]),
        start_time=to_timestamp(row["start_time"]),
        receive_time=to_timestamp(row["receive_time"]),
        outcome=Outcome.Value(f"OUTCOME_{row['outcome'].upper()}"),
        usage_source=UsageSource.Value(f"USAGE_SOURCE_{row['usage_source'].upper()}"),
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


def to_metrics(found: numbers.Metrics) -> Metrics:
    """Return numbers as a Metrics message; sums beyond 64 bits stay at the largest."""
    sums: dict[str, Any] = {field: min(found.sums[name], _INT64_MAX) for field, name in _SUMS}
    message = Metrics(**sums)
    if found.success_rate is not None:
        message.success_rate = found.success_rate
    if found.latency is not None:
        message.latency.CopyFrom(_distribution(found.latency))
    if found.time_to_first_token is not None:
        message.time_to_first_token.CopyFrom(_distribution(found.time_to_first_token))
    return message


def _distribution(found: numbers.Distribution) -> Distribution:
    parts: dict[str, Any] = {
        name: to_duration(getattr(found, f"{name}_us")) for name in ("average", "p50", "p90", "p95", "p99")
    }
    return Distribution(count=found.count, **parts)

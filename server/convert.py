"""Rows and numbers to messages: the only place where Postgres' types become the wire's."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from llm_observe.v1.admin_service_pb2 import ApiKey, ApiKeyRole, DeadLetter, LedgerEntry, Project
from llm_observe.v1.analytics_service_pb2 import Distribution, Metrics
from llm_observe.v1.conversation_pb2 import CallStats, Conversation, ConversationState, Message, Role
from llm_observe.v1.filter_pb2 import TimeRange
from llm_observe.v1.health_service_pb2 import QueueHealth
from llm_observe.v1.log_pb2 import Log, Outcome, UsageSource

from server.request_rules import DEAD_LETTER_STATES

if TYPE_CHECKING:
    import asyncpg

    from analytics import metrics as numbers
    from server.request_rules import Window
    from worker.queue import QueueStats

_INT64_MAX: Final = (1 << 63) - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
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


def to_timestamp(moment: datetime) -> Timestamp:
    """Return a datetime as a Timestamp, to the microsecond."""
    microseconds = (moment - _EPOCH) // _MICROSECOND
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def to_duration(microseconds: float) -> Duration:
    """Return microseconds as a Duration."""
    whole = round(microseconds)
    return Duration(seconds=whole // 1_000_000, nanos=whole % 1_000_000 * 1000)


def to_time_range(window: Window) -> TimeRange:
    """Return a window as a TimeRange."""
    return TimeRange(start_time=to_timestamp(window.start), end_time=to_timestamp(window.end))


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


def to_conversation(row: asyncpg.Record) -> Conversation:
    """Return a row of conversations."""
    same = ("session_id", "user_id", "title", "provider", "model", "message_count", "last_message_preview")
    return Conversation(
        conversation_id=str(row["conversation_id"]),
        state=ConversationState.Value(f"CONVERSATION_STATE_{row['state'].upper()}"),
        create_time=to_timestamp(row["create_time"]),
        update_time=to_timestamp(row["update_time"]),
        **{field: row[field] for field in same},
    )


def to_message(row: asyncpg.Record) -> Message:
    """Return a row of messages, with the numbers of its call once its log is stored."""
    message = Message(
        message_id=str(row["message_id"]),
        conversation_id=str(row["conversation_id"]),
        role=Role.Value(f"ROLE_{row['role'].upper()}"),
        content=row["content"],
        create_time=to_timestamp(row["create_time"]),
        log_id=str(row["log_id"] or ""),
        provider=row["provider"],
        model=row["model"],
        outcome=Outcome.Value(f"OUTCOME_{(row['outcome'] or 'unspecified').upper()}"),
    )
    if row["usage_source"]:
        message.call_stats.CopyFrom(_to_call_stats(row))
    return message


def _to_call_stats(row: asyncpg.Record) -> CallStats:
    stats = CallStats(usage_source=UsageSource.Value(f"USAGE_SOURCE_{row['usage_source'].upper()}"))
    for field in ("latency", "time_to_first_token"):
        if row[f"{field}_us"] is not None:
            getattr(stats, field).CopyFrom(to_duration(row[f"{field}_us"]))
    for field in ("input_token_count", "output_token_count", "total_token_count", "cost_nano_usd"):
        if row[field] is not None:
            setattr(stats, field, row[field])
    return stats


def to_queue_health(stats: QueueStats) -> QueueHealth:
    queue = QueueHealth(
        depth=stats.depth,
        pending_count=stats.pending,
        delayed_count=stats.delayed,
        consumer_count=stats.consumers,
    )
    if stats.oldest_age_s is not None:
        queue.oldest_age.CopyFrom(to_duration(stats.oldest_age_s * 1e6))
    return queue


def to_dead_letter(row: asyncpg.Record) -> DeadLetter:
    """Return a dead letter; its payload where the row has it."""
    return DeadLetter(
        dead_letter_id=str(row["dead_letter_id"]),
        reason=row["reason"],
        message=row["message"],
        log_id=row["log_id"],
        attempt_count=row["attempt_count"],
        first_attempt_time=to_timestamp(row["first_attempt_time"]),
        last_attempt_time=to_timestamp(row["last_attempt_time"]),
        state=DEAD_LETTER_STATES.index(row["state"]),  # type: ignore[arg-type] # the enum's number
        log_count=row["log_count"],
        payload_json=row.get("payload") or "",
        producer_id=row["producer_id"],
    )


def to_project(row: asyncpg.Record) -> Project:
    """Return a row of projects."""
    return Project(
        project_id=row["project_id"],
        display_name=row["display_name"],
        create_time=to_timestamp(row["create_time"]),
    )


def to_api_key(row: asyncpg.Record) -> ApiKey:
    """Return a row of api_keys; of the secret it holds the start only."""
    key = ApiKey(
        api_key_id=str(row["api_key_id"]),
        project_id=row["project_id"],
        display_name=row["display_name"],
        prefix=row["prefix"],
        roles=[ApiKeyRole.Value(f"API_KEY_ROLE_{role.upper()}") for role in row["roles"]],
    )
    for field in ("create_time", "expire_time", "revoke_time", "last_use_time"):
        if row[field] is not None:
            getattr(key, field).CopyFrom(to_timestamp(row[field]))
    return key


def to_ledger_entry(row: asyncpg.Record) -> LedgerEntry:
    """Return a producer's hour; what it dropped is the difference to its hour before."""
    before, after = json.loads(row["dropped_before"]), json.loads(row["dropped_totals"])
    dropped = {reason: total - before.get(reason, 0) for reason, total in after.items()}
    return LedgerEntry(
        producer_id=row["producer_id"],
        hour=to_timestamp(row["hour"]),
        sent_count=row["sent_count"],
        stored_count=int(row["stored_count"]),
        duplicate_count=int(row["duplicate_count"]),
        rejected_count=int(row["rejected_count"]),
        dead_lettered_count=int(row["dead_lettered_count"]),
        dropped_counts={reason: count for reason, count in dropped.items() if count},
        missing_batch_count=max(0, row["missing_batch_count"]),
        sdk=row["sdk"],
    )

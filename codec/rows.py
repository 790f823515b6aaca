"""Log messages to rows: the only place where the wire's types become Postgres' types."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from llm_observe.v1.log_pb2 import Log

from analytics.sketch import bucket_of
from codec.errors import InvalidLog
from codec.rules import is_uuid
from storage.logs import LogRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_BIGINT: Final = 2**63 - 1
OUTCOMES: Final = ("", "success", "error", "cancelled")
"""Words of llm_observe.v1.Outcome, by number."""
USAGE_SOURCES: Final = ("", "reported", "estimated", "missing")
"""Words of llm_observe.v1.UsageSource, by number."""
TOKEN_COUNTS: Final = tuple(
    field.name for field in Log.DESCRIPTOR.fields if field.name.endswith("_token_count")
)
"""Optional counts of a Log, each a column."""
REPORTED_BY: Final = ("input_token_count", "output_token_count", "total_token_count")
"""Where one of these is there and nothing else is said, the provider reported usage."""


def to_row(log: Log, *, project_id: str, receive_time: datetime) -> LogRow:
    """Return the row of a redacted log.

    Raises:
        InvalidLog: A value fits no column.
    """
    latency_us = _microseconds(log.latency) if log.HasField("latency") else None
    ttft_us = _microseconds(log.time_to_first_token) if log.HasField("time_to_first_token") else None
    outcome = _word("outcome", OUTCOMES, log.outcome)
    succeeded = outcome == "success"
    return LogRow(
        log_id=_uuid(log.log_id),
        start_time=_datetime(log.start_time),
        receive_time=receive_time,
        end_time=_datetime(log.end_time) if log.HasField("end_time") else None,
        first_token_time=_datetime(log.first_token_time) if log.HasField("first_token_time") else None,
        latency_us=latency_us,
        time_to_first_token_us=ttft_us,
        input_token_count=log.input_token_count if log.HasField("input_token_count") else None,
        output_token_count=log.output_token_count if log.HasField("output_token_count") else None,
        total_token_count=log.total_token_count if log.HasField("total_token_count") else None,
        cache_read_token_count=log.cache_read_token_count if log.HasField("cache_read_token_count") else None,
        cache_write_token_count=(
            log.cache_write_token_count if log.HasField("cache_write_token_count") else None
        ),
        reasoning_token_count=log.reasoning_token_count if log.HasField("reasoning_token_count") else None,
        cost_nano_usd=None,
        http_status=log.http_status if log.HasField("http_status") else None,
        latency_bucket=bucket_of(latency_us) if succeeded and latency_us is not None else None,
        ttft_bucket=bucket_of(ttft_us) if succeeded and ttft_us is not None else None,
        streamed=log.streamed,
        project_id=project_id,
        provider=log.provider,
        model=log.model,
        operation=log.operation or "chat",
        environment=log.environment,
        outcome=outcome,
        usage_source=_usage_source(log),
        session_id=log.session_id,
        conversation_id=log.conversation_id,
        user_id=log.user_id,
        trace_id=log.trace_id,
        span_id=log.span_id,
        parent_span_id=log.parent_span_id,
        response_model=log.response_model,
        error_code=log.error_code,
        error_message=log.error_message,
        finish_reason=log.finish_reason,
        provider_request_id=log.provider_request_id,
        release=log.release,
        price_version="",
        input_preview=log.input_preview,
        output_preview=log.output_preview,
        metadata=json.dumps(dict(log.metadata)) if log.metadata else None,
        tags=json.dumps(list(log.tags)) if log.tags else None,
    )


def _usage_source(log: Log) -> str:
    if log.usage_source:
        return _word("usage_source", USAGE_SOURCES, log.usage_source)
    return "reported" if any(log.HasField(field) for field in REPORTED_BY) else "missing"


def _word(field: str, words: Sequence[str], number: int) -> str:
    """Return the word of an enum's number. proto3 carries any number, negative ones too."""
    if not 0 <= number < len(words):
        raise InvalidLog(f"{field}: unknown number")
    return words[number]


def _uuid(text: str) -> UUID:
    if not is_uuid(text):  # UUID() would take braces, underscores and foreign digits
        raise InvalidLog("log_id: must be a UUID")
    return UUID(text)


def _datetime(timestamp: Timestamp) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)
    except OverflowError:
        raise InvalidLog("a time outside the years 1 to 9999") from None


def _microseconds(duration: Duration) -> int:
    microseconds = duration.seconds * 1_000_000 + duration.nanos // 1000
    if abs(microseconds) > _MAX_BIGINT:
        raise InvalidLog("a duration that no bigint can hold")
    return microseconds

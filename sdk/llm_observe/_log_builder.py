"""Turns a finished Call into a redacted Log. Imported by the sender's thread only: it loads protobuf.

The fields of a Call hold values of applications and vendors, which may have any type. Each is converted
before it reaches protobuf. A value that cannot be converted, or that the server would refuse, becomes a
placeholder or unknown: no value may cost the log.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from llm_observe._providers.usage import reconcile
from llm_observe._screen import screen
from llm_observe._values import (
    KEPT_TEXT_CHARS,
    acceptable_start,
    clean,
    to_content,
    to_count,
    to_http_status,
    to_retry_count,
    to_text,
)
from llm_observe._version import SDK_NAME
from llm_observe.ids import uuid7
from llm_observe.limits import LOWER_CASE_TEXTS, MAX_AHEAD_S, MAX_COUNT, MAX_LATENCY_S, REQUIRED_TEXTS
from llm_observe.trace_context import set_trace
from llm_observe.v1.log_pb2 import Log as LogMessage
from llm_observe.v1.log_pb2 import UsageSource

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

    from llm_observe._call import Call
    from llm_observe.redaction import Redactor
    from llm_observe.v1.log_pb2 import Log

_COUNTS: Final = (
    ("input_tokens", "input_token_count"),
    ("output_tokens", "output_token_count"),
    ("total_tokens", "total_token_count"),
    ("cache_read_tokens", "cache_read_token_count"),
    ("cache_write_tokens", "cache_write_token_count"),
    ("reasoning_tokens", "reasoning_token_count"),
    ("cache_write_1h_tokens", "cache_write_1h_token_count"),
    ("audio_input_tokens", "audio_input_token_count"),
    ("audio_output_tokens", "audio_output_token_count"),
)
_TEXTS: Final = (
    "provider", "operation", "model", "response_model", "finish_reason", "provider_request_id",
    "provider_response_id", "service_tier", "server_address", "error_code",
)  # fmt: skip
"""Texts that have the same name in a Call and in a Log."""
_UNKNOWN: Final = "unknown"
_REPORTED: Final = UsageSource.USAGE_SOURCE_REPORTED  # kept: an enum's wrapper looks its values up in Python
_MISSING: Final = UsageSource.USAGE_SOURCE_MISSING


def build_log(
    call: Call, redactor: Redactor, *, environment: str, release: str, capture_content: bool
) -> Log:
    """Return the Log of a call, with every text redacted and within its limit.

    Without ``capture_content``, it has no text that may quote the prompt or the answer.
    """
    log = LogMessage(
        log_id=call.log_id or uuid7(call.start_ns),
        outcome=call.outcome,  # type: ignore[arg-type] # the constants are the enum's numbers
        streamed=call.streamed,
        retry_count=to_retry_count(call.retry_count),
        reported_cost_nano_usd=to_count(call.reported_cost_nano_usd),
        http_status=to_http_status(call.http_status),
        source=SDK_NAME,
        environment=_text(environment),
        release=_text(release),
    )
    for name in _TEXTS:
        if text := _text(getattr(call, name)):
            setattr(log, name, text)
    log.model = log.model or log.response_model  # an endpoint may choose the model itself
    _set_session(log, call)
    _set_times(log, call)
    _set_usage(log, call)
    if call.span_context is not None:
        set_trace(log, call.span_context)
    if capture_content:
        log.error_message = clean(call.error_message[:KEPT_TEXT_CHARS])
        log.input_preview = clean("\n".join(call.input_text)[:KEPT_TEXT_CHARS])
        log.output_preview = clean("".join(map(to_content, call.output_chunks))[:KEPT_TEXT_CHARS])
    redactor.redact_log(log, screen)
    _keep_required(log)
    return log


def _set_session(log: Log, call: Call) -> None:
    session_id, user_id, conversation_id, tags, metadata, _ = call.session
    if session_id or user_id or conversation_id:
        log.session_id, log.user_id = _text(session_id), _text(user_id)
        log.conversation_id = _text(conversation_id)
    if tags:
        log.tags.extend(map(clean, tags))
    for key, value in (*metadata, *call.metadata):
        log.metadata[clean(key)] = clean(value)


def _text(value: object) -> str:
    return clean(to_text(value))


def _keep_required(log: Log) -> None:
    """Fill the required fields, and lower-case again what has to be: placeholders are in upper case."""
    for field in REQUIRED_TEXTS:
        if not getattr(log, field):
            setattr(log, field, _UNKNOWN)
    for field in LOWER_CASE_TEXTS:
        if not (text := getattr(log, field)).islower():
            setattr(log, field, text.lower())


def _set_times(log: Log, call: Call) -> None:
    start_ns, latency_ns, ttft_ns = acceptable_start(call.start_ns), call.latency_ns, call.ttft_ns
    _set_nanoseconds(log.start_time, start_ns)
    longest_ns = MAX_LATENCY_S * 10**9
    # Negative ones are of clocks that an application's tests turn back.
    if latency_ns is not None and 0 <= latency_ns <= longest_ns:
        _set_nanoseconds(log.latency, latency_ns)
        _set_time(log.end_time, start_ns + latency_ns)
        longest_ns = latency_ns
    if ttft_ns is not None and 0 <= ttft_ns <= longest_ns:
        _set_nanoseconds(log.time_to_first_token, ttft_ns)
        _set_time(log.first_token_time, start_ns + ttft_ns)


def _set_time(timestamp: Timestamp, time_ns: int) -> None:
    """Set a time unless it is too far in the future for a log."""
    if time_ns <= time.time_ns() + MAX_AHEAD_S * 10**9:
        _set_nanoseconds(timestamp, time_ns)


def _set_nanoseconds(time_or_duration: Timestamp | Duration, nanoseconds: int) -> None:
    """Do what FromNanoseconds() does, in half the time; none here is negative."""
    time_or_duration.seconds, time_or_duration.nanos = divmod(nanoseconds, 1_000_000_000)


def _set_usage(log: Log, call: Call) -> None:
    counts = {attribute: to_count(getattr(call, attribute)) for attribute, _ in _COUNTS}
    reconcile(counts)
    source = _MISSING
    for attribute, field in _COUNTS:
        if (count := counts[attribute]) is not None:
            setattr(log, field, min(count, MAX_COUNT))
            source = _REPORTED
    log.usage_source = source

"""Turns a finished Call into a redacted Log. Imported by the sender's thread only: it loads protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._call import KEPT_TEXT_CHARS, Call
from llm_observe.ids import uuid7
from llm_observe.v1.log_pb2 import Log as LogMessage
from llm_observe.v1.log_pb2 import UsageSource

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor
    from llm_observe.v1.log_pb2 import Log

_COUNTS: Final = (
    ("input_tokens", "input_token_count"),
    ("output_tokens", "output_token_count"),
    ("total_tokens", "total_token_count"),
    ("cache_read_tokens", "cache_read_token_count"),
    ("cache_write_tokens", "cache_write_token_count"),
    ("reasoning_tokens", "reasoning_token_count"),
)


def build_log(
    call: Call, redactor: Redactor, *, environment: str, release: str, capture_content: bool
) -> Log:
    """Return the Log of a call, every text of it redacted and within its limit."""
    log = LogMessage(
        log_id=call.log_id or uuid7(call.start_ns),
        session_id=call.session.session_id,
        user_id=call.session.user_id,
        conversation_id=call.session.conversation_id,
        tags=call.session.tags[:20],
        provider=call.provider,
        operation=call.operation,
        model=call.model or "unknown",
        response_model=call.response_model,
        outcome=call.outcome,  # type: ignore[arg-type] # the constants are the enum's numbers
        streamed=call.streamed,
        finish_reason=call.finish_reason,
        provider_request_id=call.provider_request_id,
        error_code=call.error_code,
        error_message=str(call.error_message)[:KEPT_TEXT_CHARS],
        http_status=call.http_status,
        environment=environment,
        release=release,
        metadata=dict((*call.session.metadata, *call.metadata)),
    )
    _set_times(log, call)
    _set_usage(log, call)
    if capture_content:
        log.input_preview = "\n".join(call.input_text)[:KEPT_TEXT_CHARS]
        log.output_preview = "".join(call.output_pieces)[:KEPT_TEXT_CHARS]
    redactor.redact_log(log)
    return log


def _set_times(log: Log, call: Call) -> None:
    log.start_time.FromNanoseconds(call.start_ns)
    if call.latency_ns is not None:
        log.latency.FromNanoseconds(call.latency_ns)
        log.end_time.FromNanoseconds(call.start_ns + call.latency_ns)
    if call.ttft_ns is not None:
        log.time_to_first_token.FromNanoseconds(call.ttft_ns)
        log.first_token_time.FromNanoseconds(call.start_ns + call.ttft_ns)


def _set_usage(log: Log, call: Call) -> None:
    known = False
    for attribute, field in _COUNTS:
        count = getattr(call, attribute)
        if isinstance(count, int) and 0 <= count < 1 << 63:
            setattr(log, field, count)
            known = True
    log.usage_source = UsageSource.USAGE_SOURCE_REPORTED if known else UsageSource.USAGE_SOURCE_MISSING

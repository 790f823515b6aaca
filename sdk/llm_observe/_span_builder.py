"""Turns a finished Span into a redacted message. Imported by the sender's thread only: it loads protobuf."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from llm_observe._call import CANCELLED, ERROR
from llm_observe._screen import screen
from llm_observe._values import KEPT_TEXT_CHARS, acceptable_start, clean, to_count
from llm_observe._version import SDK_NAME
from llm_observe.limits import (
    MAX_LATENCY_S,
    MAX_PREVIEW_CHARS,
    MAX_SPAN_ATTRIBUTES,
    MAX_SPAN_ATTRIBUTES_CHARS,
    MAX_SPAN_KEY_CHARS,
    MAX_SPAN_TEXT_CHARS,
)
from llm_observe.v1.span_pb2 import SPAN_STATUS_ERROR, SPAN_STATUS_OK, SPAN_STATUS_UNSPECIFIED
from llm_observe.v1.span_pb2 import Span as SpanMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._span import Span
    from llm_observe.redaction import Redactor

_STATUSES: Final = {ERROR: SPAN_STATUS_ERROR, CANCELLED: SPAN_STATUS_UNSPECIFIED}
_TOOL: Final = "execute_tool"
_NUMBER_CHARS: Final = 8


def build_span(span: Span, redactor: Redactor, *, capture_content: bool) -> SpanMessage:
    """Return the message of a span, with every text redacted and within its limit.

    Without ``capture_content``, it has no text that may quote what the application handles: its name, its
    operation, its session and the code of its error only.
    """
    message = SpanMessage(
        trace_id=f"{span.ids.trace_id:032x}",
        span_id=f"{span.ids.span_id:016x}",
        parent_span_id=span.parent_span_id,
        status=_STATUSES.get(span.outcome, SPAN_STATUS_OK),
        scope=SDK_NAME,
    )
    texts = {
        "name": span.name or span.operation,
        "operation": span.operation,
        "session_id": span.session.session_id,
        "service_name": os.environ.get("OTEL_SERVICE_NAME", ""),
    }
    for field, text in texts.items():
        setattr(message, field, _redact(redactor, text, MAX_SPAN_TEXT_CHARS[field]))
    if capture_content and span.error_message:
        message.status_message = _redact(redactor, span.error_message, MAX_PREVIEW_CHARS)
    start_ns = acceptable_start(span.start_ns)
    message.start_time.FromNanoseconds(start_ns)
    message.end_time.FromNanoseconds(start_ns + max(0, min(span.latency_ns or 0, MAX_LATENCY_S * 10**9)))
    _set_attributes(message, span, redactor, capture_content=capture_content)
    return message


def _set_attributes(message: SpanMessage, span: Span, redactor: Redactor, *, capture_content: bool) -> None:
    left = MAX_SPAN_ATTRIBUTES_CHARS
    for key, value in (*_known(span), *(_told(span, capture_content=capture_content))):
        kept = _redact(redactor, key, MAX_SPAN_KEY_CHARS)
        text = _redact(redactor, value, MAX_PREVIEW_CHARS) if isinstance(value, str) else value
        left -= len(kept) + (len(text) if isinstance(text, str) else _NUMBER_CHARS)
        if not kept or text == "":
            continue
        if left < 0 or len(message.attributes) >= MAX_SPAN_ATTRIBUTES:
            return
        message.attributes[kept] = text


def _known(span: Span) -> Iterator[tuple[str, str | float | bool]]:
    if span.outcome == CANCELLED:
        yield "error.type", "cancelled"
    elif span.error_code:
        yield "error.type", span.error_code
    if status := to_count(span.http_status):
        yield "http.response.status_code", status


def _told(span: Span, *, capture_content: bool) -> Iterator[tuple[str, str | float | bool]]:
    if capture_content:
        is_tool = span.operation == _TOOL
        yield "gen_ai.tool.call.arguments" if is_tool else "input.value", "\n".join(span.input_text)
        yield "gen_ai.tool.call.result" if is_tool else "output.value", "".join(span.output_chunks)
    for key, value in span.attributes.items():
        if capture_content or not isinstance(value, str):
            yield key, value


def _redact(redactor: Redactor, text: str, max_chars: int) -> str:
    kept = clean(text[:KEPT_TEXT_CHARS])
    return redactor.preview(kept, max_chars, screen(kept))

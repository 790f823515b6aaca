"""The rules of a span that a producer sends as ours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from llm_observe import limits
from llm_observe.v1.span_pb2 import SpanStatus

from codec.rules import SPAN_FIELDS, is_timestamp

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Value
    from llm_observe.v1.span_pb2 import Span

_STATUSES: Final = frozenset(SpanStatus.values())
_NANOS: Final = 1_000_000_000


def find_span_violation(span: Span, now_s: float) -> str | None:
    """Return what is wrong with a span, naming the field and never the value; None when it is valid.

    Values of attributes and the error's text may be longer than what is kept: they are redacted first.
    """
    return _ids(span) or _texts(span) or _times(span, now_s) or _attributes(span)


def _ids(span: Span) -> str | None:
    for field, digits, pattern in SPAN_FIELDS:
        text = getattr(span, field)
        if not text and field == "parent_span_id":
            continue
        if not pattern.fullmatch(text) or not text.strip("0"):
            return f"{field}: must be {digits} lower-case hex digits, not all 0"
    if span.log_id:
        return "log_id: must be empty, for a call is a log"
    return None


def _texts(span: Span) -> str | None:
    if not span.name:
        return f"name: 1 to {limits.MAX_SPAN_TEXT_CHARS['name']} characters"
    for field, most in limits.MAX_SPAN_TEXT_CHARS.items():
        if len(getattr(span, field)) > most:
            return f"{field}: at most {most} characters"
    if span.status not in _STATUSES:
        return "status: must be UNSPECIFIED, OK or ERROR"
    return None


def _times(span: Span, now_s: float) -> str | None:
    for field in ("start_time", "end_time"):
        if not span.HasField(field):
            return f"{field}: is required"
        if not is_timestamp(getattr(span, field)):
            return f"{field}: must be a timestamp from 1970 on"
        if getattr(span, field).seconds > now_s + limits.MAX_AHEAD_S:
            return f"{field}: must not be more than 24 hours in the future"
    start, end = (time.seconds * _NANOS + time.nanos for time in (span.start_time, span.end_time))
    if end < start:
        return "end_time: must not be before start_time"
    if end - start > limits.MAX_LATENCY_S * _NANOS:
        return "end_time: at most 7 days after start_time"
    return None


def _attributes(span: Span) -> str | None:
    if len(span.attributes.fields) > limits.MAX_SPAN_ATTRIBUTES:
        return f"attributes: at most {limits.MAX_SPAN_ATTRIBUTES}"
    for key, value in span.attributes.fields.items():
        if not 1 <= len(key) <= limits.MAX_SPAN_KEY_CHARS:
            return f"attributes: keys of 1 to {limits.MAX_SPAN_KEY_CHARS} characters"
        if not _is_plain(value):
            return "attributes: values must be texts, finite numbers or booleans"
    return None


def _is_plain(value: Value) -> bool:
    kind = value.WhichOneof("kind")
    return kind in {"string_value", "bool_value"} or (
        kind == "number_value" and math.isfinite(value.number_value)
    )

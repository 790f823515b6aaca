"""Reads export requests in OTLP's JSON: hex ids, 64-bit numbers as text; unknown fields are left out.

Written by hand: protobuf's JSON reader takes ten times as long, and refuses hex ids.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import TYPE_CHECKING, Final, TypeAlias

from codec.otlp.limits import MAX_ATTRIBUTES, MAX_EVENTS, MAX_VALUE_DEPTH, cut_value
from codec.otlp.log_events import LogRecord
from codec.otlp.span import Event, Origin, Span
from codec.otlp.values import repaired, to_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codec.otlp.values import Attributes, Value

JsonObject: TypeAlias = "dict[str, Value]"
_MAX_ID_CHARS: Final = 64
_MAX_INT_CHARS: Final = 20
_MAX_INT: Final = 2**63
_HEX_CHARS: Final = frozenset("0123456789abcdefABCDEF")
_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STATUSES: Final = ("UNSET", "OK", "ERROR")


class UndecodableJson(ValueError):
    """The bytes are no JSON object in UTF-8."""


def parse_request(data: bytes) -> dict[str, Value]:
    """Return the object of a request.

    Raises:
        UndecodableJson: The bytes are none.
    """
    try:
        request = json.loads(data)
    except (ValueError, RecursionError):
        raise UndecodableJson from None
    if not isinstance(request, dict):
        raise UndecodableJson
    return request


def read_spans(request: dict[str, Value]) -> Iterator[Span]:
    """Yield the spans of a request, whatever their ids are."""
    for resource_spans in objects(request, "resourceSpans", "resource_spans"):
        resource = read_attributes(_object(resource_spans, "resource"))
        for scope_spans in objects(
            resource_spans, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"
        ):
            scope = _object(scope_spans, "scope")
            origin = Origin(_text(scope, "name"), _text(scope, "version"), resource)
            for span in objects(scope_spans, "spans"):
                yield _read_span(span, origin)


def read_records(request: dict[str, Value]) -> Iterator[LogRecord]:
    """Yield the log records of a request."""
    for resource_logs in objects(request, "resourceLogs", "resource_logs"):
        for scope_logs in objects(resource_logs, "scopeLogs", "scope_logs"):
            for record in objects(scope_logs, "logRecords", "log_records"):
                yield LogRecord(
                    _text(record, "eventName") or _text(record, "event_name"),
                    read_id(_get(record, "traceId", "trace_id"), 16),
                    read_id(_get(record, "spanId", "span_id"), 8),
                    read_attributes(record),
                    read_value(record.get("body")),
                )


def count_metrics(request: dict[str, Value]) -> int:
    """Return how many metrics a request has."""
    return sum(
        1
        for resource in objects(request, "resourceMetrics", "resource_metrics")
        for scope in objects(resource, "scopeMetrics", "scope_metrics")
        for _ in objects(scope, "metrics")
    )


def _read_span(span: dict[str, Value], origin: Origin) -> Span:
    status = _object(span, "status")
    return Span(
        trace_id=read_id(_get(span, "traceId", "trace_id"), 16),
        span_id=read_id(_get(span, "spanId", "span_id"), 8),
        parent_span_id=read_id(_get(span, "parentSpanId", "parent_span_id"), 8),
        name=_text(span, "name"),
        kind=_read_enum(span.get("kind"), "SPAN_KIND_", _KINDS),
        start_ns=read_time(_get(span, "startTimeUnixNano", "start_time_unix_nano")),
        end_ns=read_time(_get(span, "endTimeUnixNano", "end_time_unix_nano")),
        status_code=_read_enum(status.get("code"), "STATUS_CODE_", _STATUSES),
        status_message=_text(status, "message"),
        attributes=read_attributes(span),
        events=[
            Event(
                _text(event, "name"),
                read_time(_get(event, "timeUnixNano", "time_unix_nano")),
                read_attributes(event),
            )
            for event in objects(span, "events", limit=MAX_EVENTS)
        ],
        origin=origin,
    )


def read_attributes(holder: dict[str, Value], depth: int = MAX_VALUE_DEPTH) -> Attributes:
    """Return the attributes of an object; the last of several with one key counts."""
    return _read_pairs(holder.get("attributes"), depth)


def _read_pairs(pairs: Value, depth: int) -> Attributes:
    attributes: Attributes = {}
    for pair in pairs if isinstance(pairs, list) else ():
        if len(attributes) >= MAX_ATTRIBUTES:
            break
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            attributes[repaired(str(pair["key"]))] = read_value(pair.get("value"), depth)
    return attributes


def read_value(value: Value, depth: int = MAX_VALUE_DEPTH) -> Value:
    """Return an AnyValue in Python's types; None for what is none, or stands too deep."""
    if not isinstance(value, dict):
        return None
    key, content = next(iter(value.items()), ("", None))
    kind = key.replace("_v", "V")
    if kind in _SCALARS:
        return _SCALARS[kind](content)
    items = content.get("values") if isinstance(content, dict) and depth else None
    if kind == "kvlistValue":
        return _read_pairs(items, depth - 1)
    if kind == "arrayValue" and isinstance(items, list):
        return [read_value(item, depth - 1) for item in items[:MAX_ATTRIBUTES]]
    return None


def read_id(value: Value, size: int) -> str:
    """Return an id in lower-case hex: from hex, or from the base64 of some senders. Wrong ones stay wrong."""
    if not isinstance(value, str) or len(value) > _MAX_ID_CHARS:
        return "" if value is None else "?"
    if len(value) == 2 * size and _HEX_CHARS.issuperset(value):
        return value.lower()
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value and "?"
    return decoded.hex() if len(decoded) == size else value and "?"


def read_time(value: Value) -> int:
    """Return nanoseconds since 1970; 0 for what is none."""
    return to_count(value) or 0


def objects(holder: dict[str, Value], *names: str, limit: int | None = None) -> Iterator[dict[str, Value]]:
    """Yield the objects in the list that has one of these names; whatever else is in it is left out."""
    items = _get(holder, *names)
    for item in items[:limit] if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield item


def _get(holder: dict[str, Value], *names: str) -> Value:
    return next((holder[name] for name in names if name in holder), None)


def _object(holder: dict[str, Value], name: str) -> dict[str, Value]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _text(holder: dict[str, Value], name: str) -> str:
    value = holder.get(name)
    return repaired(cut_value(value)) if isinstance(value, str) else ""


def _read_enum(value: Value, prefix: str, words: tuple[str, ...]) -> int:
    if isinstance(value, str):
        word = value.removeprefix(prefix)
        return words.index(word) if word in words else 0
    return value if isinstance(value, int) and 0 <= value < len(words) else 0


def _read_int(value: Value) -> Value:
    if isinstance(value, str):
        try:
            value = int(value) if len(value) <= _MAX_INT_CHARS else None
        except ValueError:
            return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -_MAX_INT <= value < _MAX_INT else None


def _read_double(value: Value) -> Value:
    if isinstance(value, str):
        return {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}.get(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _read_string(value: Value) -> Value:
    return cut_value(value) if isinstance(value, str) else None


def _read_bool(value: Value) -> Value:
    return value if isinstance(value, bool) else None


_SCALARS: Final[dict[str, Callable[[Value], Value]]] = {
    "stringValue": _read_string,
    "intValue": _read_int,
    "doubleValue": _read_double,
    "boolValue": _read_bool,
    "bytesValue": _read_string,
}

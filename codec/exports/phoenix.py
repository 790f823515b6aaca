"""Phoenix: spans of its API, of its command's traces, and of the rows of a data frame.

They are spans of OpenInference already; times and ids are written otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from codec.exports.spans import Skipped, clean, to_attributes, to_id, to_json, to_time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.exports.rows import Row

SCOPE: Final = "phoenix"
_PRODUCT: Final = "phoenix"
_PREFIX: Final = "attributes."
_STATUSES: Final = {"OK": Status.STATUS_CODE_OK, "ERROR": Status.STATUS_CODE_ERROR}
_JSON_TEXTS: Final = frozenset({
    "metadata", "input.value", "output.value", "llm.invocation_parameters", "embedding.invocation_parameters",
    "tool.parameters", "llm.prompt_template.variables",
})  # fmt: skip
"""Attributes that hold JSON text in OpenInference, whatever is in it."""
_MAX_DEPTH: Final = 12
_MAX_EVENTS: Final = 100


def is_span(row: Row) -> bool:
    """Tell whether a row is a span."""
    return bool(_id(row, "trace_id")) and ("span_kind" in row or "start_time" in row)


def to_span(row: Row) -> Span:
    """Return the span of a row.

    Raises:
        Skipped: It has no id, or no times.
    """
    if not _id(row, "span_id"):
        raise Skipped("a span without an id")
    start_ns, end_ns = to_time_ns(row.get("start_time")), to_time_ns(row.get("end_time"))
    if start_ns is None:
        raise Skipped("a span without a start time")
    if end_ns is None:
        raise Skipped("a span that has not ended")
    span = Span(
        trace_id=to_id(_id(row, "trace_id"), 16, _PRODUCT),
        span_id=to_id(_id(row, "span_id"), 8, _PRODUCT),
        name=clean(str(row.get("name") or "")),
        start_time_unix_nano=start_ns,
        end_time_unix_nano=max(start_ns, end_ns),
        attributes=to_attributes(_attributes(row)),
        events=_events(row.get("events")),
    )
    if parent := row.get("parent_id"):
        span.parent_span_id = to_id(parent, 8, _PRODUCT)
    span.status.code = _STATUSES.get(str(row.get("status_code")).upper(), Status.STATUS_CODE_UNSET)
    span.status.message = clean(str(row.get("status_message") or ""))
    return span


def _id(row: Row, name: str) -> object:
    context = row.get("context")
    found = context.get(name) if isinstance(context, dict) else None
    return found or row.get(f"context.{name}")


def _attributes(row: Row) -> Iterator[tuple[str, Any]]:
    kind = row.get("span_kind")
    yield "openinference.span.kind", kind if isinstance(kind, str) else None
    for key, value in row.items():
        if key == "attributes" and isinstance(value, dict):
            yield from _flat("", value)
        elif key.startswith(_PREFIX):
            yield from _flat(key.removeprefix(_PREFIX), value)


def _flat(key: str, value: object, depth: int = _MAX_DEPTH) -> Iterator[tuple[str, Any]]:
    """Yield attributes with names in full: ``llm.input_messages.0.message.role``."""
    if key == "openinference.span.kind":
        return
    if key in _JSON_TEXTS and isinstance(value, dict | list):
        yield key, to_json(value)
    elif isinstance(value, dict) and depth:
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}" if key else str(name), inner, depth - 1)
    elif isinstance(value, list) and depth and any(isinstance(item, dict) for item in value):
        for place, item in enumerate(value):
            yield from _flat(f"{key}.{place}", item, depth - 1)
    else:
        yield key, value


def _events(events: object) -> Iterator[Span.Event]:
    for event in events[:_MAX_EVENTS] if isinstance(events, list) else ():
        if isinstance(event, dict):
            attributes = event.get("attributes")
            yield Span.Event(
                name=clean(str(event.get("name") or "")),
                time_unix_nano=to_time_ns(event.get("timestamp")) or 0,
                attributes=to_attributes(_flat("", attributes) if isinstance(attributes, dict) else ()),
            )

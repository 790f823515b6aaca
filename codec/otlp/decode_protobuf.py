"""Reads spans and log records of export requests in protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codec.otlp.limits import MAX_ATTRIBUTES, MAX_EVENTS, MAX_VALUE_DEPTH, cut_value
from codec.otlp.log_events import LogRecord
from codec.otlp.span import Event, Origin, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1 import trace_pb2

    from codec.otlp.values import Attributes, Value


def read_spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    """Yield the spans of a request, whatever their ids are."""
    for resource_spans in request.resource_spans:
        resource = read_attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            origin = Origin(scope.name, scope.version, resource)
            for span in scope_spans.spans:
                yield _read_span(span, origin)


def read_records(request: ExportLogsServiceRequest) -> Iterator[LogRecord]:
    """Yield the log records of a request."""
    for resource_logs in request.resource_logs:
        for scope_logs in resource_logs.scope_logs:
            for record in scope_logs.log_records:
                yield LogRecord(
                    record.event_name,
                    record.trace_id.hex(),
                    record.span_id.hex(),
                    read_attributes(record.attributes),
                    read_value(record.body),
                )


def _read_span(span: trace_pb2.Span, origin: Origin) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        name=span.name,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status_code=span.status.code,
        status_message=span.status.message,
        attributes=read_attributes(span.attributes),
        events=[
            Event(event.name, event.time_unix_nano, read_attributes(event.attributes))
            for event in span.events[:MAX_EVENTS]
        ],
        origin=origin,
    )


def read_attributes(pairs: Iterable[KeyValue], depth: int = MAX_VALUE_DEPTH) -> Attributes:
    """Return attributes as a dictionary; the last of several with one key counts."""
    attributes: Attributes = {}
    for pair in pairs:
        if len(attributes) >= MAX_ATTRIBUTES:
            break
        attributes[pair.key] = read_value(pair.value, depth)
    return attributes


def read_value(value: AnyValue, depth: int = MAX_VALUE_DEPTH) -> Value:
    """Return a value in Python's types; None for what stands too deep."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return cut_value(value.string_value)
    if kind in {"int_value", "bool_value", "double_value", "bytes_value"}:
        scalar: Value = getattr(value, kind)
        return scalar
    if kind is None or not depth:
        return None
    if kind == "array_value":
        return [read_value(item, depth - 1) for item in value.array_value.values[:MAX_ATTRIBUTES]]
    if kind == "kvlist_value":
        return read_attributes(value.kvlist_value.values, depth - 1)
    return None

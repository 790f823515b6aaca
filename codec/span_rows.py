"""Makes rows of spans: their texts redacted, then cut."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from codec.otlp.span_records import MAX_ATTRIBUTE_CHARS, MAX_NAME_CHARS
from storage.spans import SpanRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.timestamp_pb2 import Timestamp
    from llm_observe.redaction import Redactor
    from llm_observe.v1.span_pb2 import Span

    from codec.batch import AcceptedBatch

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_row(span: Span, batch: AcceptedBatch, redactor: Redactor) -> SpanRow:
    """Return the row of a span.

    Raises:
        ValueError: It is none that the server made.
        OverflowError: Likewise.
    """
    return SpanRow(
        project_id=batch.project_id,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        name=redactor.preview(span.name, MAX_NAME_CHARS),
        operation=redactor.preview(span.operation, MAX_NAME_CHARS),
        start_time=_datetime(span.start_time),
        end_time=_datetime(span.end_time),
        status=span.status,
        status_message=redactor.preview(span.status_message, MAX_ATTRIBUTE_CHARS),
        scope=redactor.preview(span.scope, MAX_NAME_CHARS),
        service_name=redactor.preview(span.service_name, MAX_NAME_CHARS),
        session_id=redactor.preview(span.session_id, MAX_NAME_CHARS),
        attributes=json.dumps(dict(_redacted(dict(span.attributes.items()), redactor))),
        log_id=UUID(span.log_id) if span.log_id else None,
        receive_time=_EPOCH + timedelta(microseconds=batch.receive_time_us),
    )


def _redacted(attributes: Mapping[str, object], redactor: Redactor) -> Iterator[tuple[str, object]]:
    for key, value in attributes.items():
        kept = redactor.preview(key, MAX_NAME_CHARS)
        if kept:
            yield kept, redactor.preview(value, MAX_ATTRIBUTE_CHARS) if isinstance(value, str) else value


def _datetime(timestamp: Timestamp) -> datetime:
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)

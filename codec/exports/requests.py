"""Makes requests of OTLP of exported files, and counts the rows that become no span, by reason."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from codec.exports import langfuse, phoenix
from codec.exports.rows import read_rows
from codec.exports.spans import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from codec.exports.rows import Row

_MAX_SPANS: Final = 500
"""Spans of a request."""
_SUBJECTS: Final = {"score": "a score", "": "a row of another kind"}


class Export(Protocol):
    """What one product exported."""

    scope: str
    skipped: Counter[str]
    """Rows that became no span, by reason."""

    def spans_of(self, path: Path) -> Iterator[Span]:
        """Yield the spans of a file.

        Raises:
            UnreadableExport: It holds no rows.
        """
        ...


class LangfuseExport:
    """Files of Langfuse; rows of traces, in any of them, say of whom their observations are."""

    scope: str = langfuse.SCOPE

    def __init__(self, paths: Sequence[Path]) -> None:
        self.skipped: Counter[str] = Counter()
        self._contexts: dict[str, langfuse.TraceContext] = {}
        for path in paths:
            for row in read_rows(path):
                if langfuse.kind_of(row) == "trace":
                    trace_id, context = langfuse.read_context(row)
                    if any(context):
                        self._contexts[trace_id] = context

    def spans_of(self, path: Path) -> Iterator[Span]:
        """Yield the spans of a file; see Export."""
        for row in read_rows(path):
            kind = langfuse.kind_of(row)
            if kind == "observation":
                yield from self._span_of(row)
            elif kind != "trace":
                self.skipped[_SUBJECTS[kind]] += 1

    def _span_of(self, row: Row) -> Iterator[Span]:
        try:
            yield langfuse.to_span(row, self._contexts)
        except Skipped as reason:
            self.skipped[str(reason)] += 1


class PhoenixExport:
    """Files of Phoenix."""

    scope: str = phoenix.SCOPE

    def __init__(self, _paths: Sequence[Path]) -> None:
        self.skipped: Counter[str] = Counter()

    def spans_of(self, path: Path) -> Iterator[Span]:
        """Yield the spans of a file; see Export."""
        for row in read_rows(path):
            if not phoenix.is_span(row):
                self.skipped[_SUBJECTS[""]] += 1
                continue
            try:
                yield phoenix.to_span(row)
            except Skipped as reason:
                self.skipped[str(reason)] += 1


def requests_of(export: Export, path: Path) -> Iterator[ExportTraceServiceRequest]:
    """Yield requests with the spans of a file.

    Raises:
        UnreadableExport: It holds no rows, or not only these.
    """
    request, spans = _new_request(export.scope)
    for span in export.spans_of(path):
        spans.append(span)
        if len(spans) == _MAX_SPANS:
            yield request
            request, spans = _new_request(export.scope)
    if spans:
        yield request


def _new_request(scope: str) -> tuple[ExportTraceServiceRequest, list[Span]]:
    request = ExportTraceServiceRequest()
    holder = request.resource_spans.add().scope_spans.add()
    holder.scope.name = scope
    return request, holder.spans  # type: ignore[return-value] # protobuf's container, as far as a list is used

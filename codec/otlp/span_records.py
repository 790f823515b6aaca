"""Makes of a span what is kept of it: its place in the trace, and a bounded part of what it says.

Nothing is redacted here: the worker does that.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from llm_observe import limits
from llm_observe.v1 import span_pb2

from codec.otlp.resources import source_of
from codec.otlp.span import STATUS_ERROR, STATUS_OK
from codec.otlp.values import repaired, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.otlp.requests import ReadSpan
    from codec.otlp.values import Value

MAX_NAME_CHARS: Final = 200
MAX_ATTRIBUTE_CHARS: Final = 500
MAX_ATTRIBUTES_CHARS: Final = 8_000
"""What all attributes of a span take together, keys included."""
_NANOS: Final = 1_000_000_000
_READ_CHARS: Final = 4 * MAX_ATTRIBUTE_CHARS
"""Of a longer text this much is sent: it is redacted first and cut after."""
_MAX_ATTRIBUTES: Final = 64
_MAX_KEY_CHARS: Final = 100
_STATUSES: Final = {STATUS_OK: span_pb2.SPAN_STATUS_OK, STATUS_ERROR: span_pb2.SPAN_STATUS_ERROR}
_KEPT: Final = re.compile(
    r"(?:gen_ai|llm|ai|tool|agent|openinference|input|output|retrieval|embedding|reranker"
    r"|traceloop\.(?:span|entity|workflow)|langfuse\.observation|langsmith\.span|mlflow\.span|crewai|smolagents"
    r"|graph\.node|http|url|rpc|db\.(?:system|operation)"
    r"|messaging\.(?:system|operation)|server|error|exception|code\.function|span\.type)(?:[.A-Z]|$)"
)
_LEFT_OUT: Final = re.compile(
    # What stands in fields of their own, is repeated by each message, or may hold credentials.
    r"(?:llm\.(?:input|output)_messages|llm\.tools|gen_ai\.(?:prompt|completion)\.\d|gen_ai\.tool\.definitions"
    r"|.*(?:json_schema|header|authorization|cookie|api_key|stacktrace|mime_type)"
    r"|gen_ai\.operation\.name|openinference\.span\.kind"
    r"|.*metadata\.LANGSMITH_)",
    re.IGNORECASE,
)


def span_record(read: ReadSpan, log_id: str) -> span_pb2.Span:
    """Return what is kept of a span; its log is that of the call that it shows, if there is one."""
    span, view = read.span, read.view
    record = span_pb2.Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        name=repaired(span.name)[:_READ_CHARS],
        operation=read.node.operation[: limits.MAX_TEXT_CHARS["operation"]],
        status=_STATUSES.get(span.status_code, span_pb2.SPAN_STATUS_UNSPECIFIED),
        status_message=repaired(span.status_message)[:_READ_CHARS],
        scope=source_of(span),
        service_name=(to_text(span.origin.resource.get("service.name")) or "")[:MAX_NAME_CHARS],
        session_id=view.session_id if view is not None else "",
        log_id=log_id,
    )
    record.start_time.seconds, record.start_time.nanos = divmod(span.start_ns, _NANOS)
    record.end_time.seconds, record.end_time.nanos = divmod(span.end_ns, _NANOS)
    fields = record.attributes.fields
    for key, value in _attributes(read):
        if isinstance(value, str):
            fields[key].string_value = value
        elif isinstance(value, bool):
            fields[key].bool_value = value
        else:
            fields[key].number_value = value
    return record


def _attributes(read: ReadSpan) -> Iterator[tuple[str, str | float | bool]]:
    left, count = MAX_ATTRIBUTES_CHARS, 0
    for key, value in read.span.attributes.items():
        if count == _MAX_ATTRIBUTES:
            return
        if len(key) > _MAX_KEY_CHARS or not _is_kept(key):
            continue
        plain = _plain(value)
        size = len(key) + (min(len(plain), MAX_ATTRIBUTE_CHARS) if isinstance(plain, str) else 8)
        if plain is None or plain == "" or size > left:
            continue
        left, count = left - size, count + 1
        yield key, plain


@lru_cache(maxsize=4096)
def _is_kept(key: str) -> bool:
    return bool(_KEPT.match(key)) and not _LEFT_OUT.match(key)


def _plain(value: Value) -> str | float | bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        # What JSON has no number for is left out: NaN, infinity, and integers that a double rounds.
        return float(value) if abs(value) < 2**53 else None
    if isinstance(value, str):
        return repaired(value)[:_READ_CHARS]
    if isinstance(value, list):
        return ", ".join(text for item in value[:100] if (text := to_text(item)))[:_READ_CHARS]
    return None

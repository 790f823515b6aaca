"""Langfuse: rows of its export to blob storage, of its tables, of its API, and traces downloaded as JSON.

Names of fields are those of the export (``trace_id``) or of the API (``traceId``). Each observation becomes
the span that Langfuse's SDK would send, so that what is a call, and what its tokens are, is decided as there.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from codec.exports.spans import Skipped, clean, to_attributes, to_id, to_json, to_time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.exports.rows import Row

SCOPE: Final = "langfuse-sdk"
_PRODUCT: Final = "langfuse"
_TYPES: Final = frozenset({
    "SPAN", "GENERATION", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING",
    "GUARDRAIL",
})  # fmt: skip
_MAX_METADATA: Final = 50
_OLD_USAGE: Final = (("input", "promptTokens"), ("output", "completionTokens"), ("total", "totalTokens"))


class TraceContext(NamedTuple):
    """What a row of a trace says of its observations, where their own rows do not."""

    user_id: str = ""
    session_id: str = ""
    release: str = ""
    tags: tuple[str, ...] = ()


_NO_CONTEXT: Final = TraceContext()


def kind_of(row: Row) -> str:
    """Return what a row is: observation, trace, score, or an empty text for none of these."""
    if _get(row, "trace_id") and _type_of(row) in _TYPES:
        return "observation"
    if "value" in row and (_get(row, "data_type") or _get(row, "string_value") or row.get("source")):
        return "score"
    is_trace = row.get("id") and row.get("timestamp") and "type" not in row
    return "trace" if is_trace else ""


def _type_of(row: Row) -> str:
    """Return the type of an observation; tables of generations do not state it."""
    if "type" in row or not _get(row, "start_time"):
        return str(row.get("type", "")).upper()
    return "GENERATION" if _model(row) else "SPAN"


def _model(row: Row) -> str:
    return _text(row, "provided_model_name") or _text(row, "model")


def read_context(row: Row) -> tuple[str, TraceContext]:
    """Return the id of a trace, and what its row says of its observations."""
    return str(row["id"]), TraceContext(
        _text(row, "user_id"), _text(row, "session_id"), _text(row, "release"), tuple(_list(row, "tags"))
    )


def to_span(row: Row, contexts: dict[str, TraceContext]) -> Span:
    """Return the span of an observation.

    Args:
        row: What was exported of it.
        contexts: By id of a trace: what its own row says.

    Raises:
        Skipped: It has no id, or no times.
    """
    if not row.get("id"):
        raise Skipped("an observation without an id")
    start_ns = to_time_ns(_get(row, "start_time"))
    if start_ns is None:
        raise Skipped("an observation without a start time")
    kind = _type_of(row)
    span = Span(
        trace_id=to_id(_get(row, "trace_id"), 16, _PRODUCT),
        span_id=to_id(row["id"], 8, _PRODUCT),
        name=clean(_text(row, "name")) or kind.lower(),
        start_time_unix_nano=start_ns,
        end_time_unix_nano=_end_ns(row, start_ns, kind),
    )
    if parent := _get(row, "parent_observation_id"):
        span.parent_span_id = to_id(parent, 8, _PRODUCT)
    if row.get("level") == "ERROR":
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = clean(_text(row, "status_message"))
    context = contexts.get(str(_get(row, "trace_id")), _NO_CONTEXT)
    span.attributes.extend(to_attributes(_attributes(row, kind, context)))
    return span


def _end_ns(row: Row, start_ns: int, kind: str) -> int:
    end_ns = to_time_ns(_get(row, "end_time"))
    if end_ns is None and kind != "EVENT":
        end_ns = to_time_ns(_get(row, "completion_start_time"))
        if end_ns is None:
            raise Skipped("an observation that has not ended")
    return max(start_ns, start_ns if end_ns is None else end_ns)


def _attributes(row: Row, kind: str, context: TraceContext) -> Iterator[tuple[str, Any]]:
    yield "langfuse.observation.type", kind.lower()
    yield "langfuse.observation.model.name", _model(row)
    yield "langfuse.observation.usage_details", _usage(row)
    yield "langfuse.observation.model.parameters", _json_text(_get(row, "model_parameters"))
    yield "langfuse.observation.input", _json_text(row.get("input"))
    yield "langfuse.observation.output", _json_text(row.get("output"))
    first_ns = to_time_ns(_get(row, "completion_start_time"))
    if first_ns is not None:
        first = datetime.fromtimestamp(first_ns / 1e9, UTC)
        yield "langfuse.observation.completion_start_time", first.isoformat()
    yield "langfuse.environment", _text(row, "environment")
    yield "langfuse.release", _text(row, "release") or context.release
    yield "user.id", _text(row, "user_id") or context.user_id
    yield "session.id", _text(row, "session_id") or context.session_id
    yield "langfuse.trace.tags", _list(row, "tags") or list(context.tags)
    metadata = _object(row.get("metadata"))
    for key, value in list(metadata.items())[:_MAX_METADATA]:
        yield f"langfuse.observation.metadata.{key}", value if isinstance(value, str) else to_json(value)


def _usage(row: Row) -> str | None:
    details = _object(_get(row, "usage_details"))
    if details:
        return to_json(details)
    told = _object(row.get("usage"))
    counts = {
        name: count
        for name, old in _OLD_USAGE
        if isinstance(count := told.get(name, row.get(old)), int) and not isinstance(count, bool)
    }
    if not any(counts.values()) or str(told.get("unit") or "TOKENS").upper() != "TOKENS":
        return None
    return to_json(counts)


def _get(row: Row, name: str) -> Any:
    """Return a field under its name in the export, or in the API."""
    if name in row:
        return row[name]
    first, *rest = name.split("_")
    return row.get(first + "".join(word.capitalize() for word in rest))


def _text(row: Row, name: str) -> str:
    value = _get(row, name)
    return value if isinstance(value, str) else ""


def _list(row: Row, name: str) -> list[str]:
    value = _get(row, name)
    if isinstance(value, str) and value.startswith("["):
        value = _parsed(value)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    """Return an object, which is JSON text in CSV, and pairs in Parquet."""
    if isinstance(value, str) and value.startswith("{"):
        value = _parsed(value)
    return value if isinstance(value, dict) else {}


def _parsed(text: str) -> object:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed


def _json_text(value: object) -> str | None:
    return None if value is None else to_json(value)

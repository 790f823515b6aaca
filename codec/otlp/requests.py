"""Reads the spans of a request: each is a call, another step, or wrong. Nothing else is looked at."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1 import log_pb2

from codec.otlp.calls import call_log, context_log
from codec.otlp.classify import classify
from codec.otlp.folding import Key, Kind, Node
from codec.otlp.limits import MAX_SPANS
from codec.otlp.providers import UNKNOWN
from codec.rules import find_violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from codec.otlp.classify import Classified
    from codec.otlp.span import Span

_ANY_LOG_ID: Final = "00000000-0000-0000-0000-000000000000"
_HEX: Final = frozenset("0123456789abcdef")
_NANOS: Final = 1_000_000_000


class ReadSpan(NamedTuple):
    """A span that is right."""

    span: Span
    classified: Classified
    node: Node
    view: log_pb2.Log | None
    """What it tells of a call; of another step what the calls below it share, if there is anything."""


class RejectedItem(NamedTuple):
    """A span that is wrong, and why; never what it holds."""

    position: int
    """In the request, from 0."""
    violation: str


class ReadRequest(NamedTuple):
    """What a request has."""

    spans: dict[Key, ReadSpan]
    rejected: list[RejectedItem]
    item_count: int
    """How many it had, rejected and repeated ones included."""

    def plus(self, other: ReadRequest) -> ReadRequest:
        """Return this with the spans that follow."""
        return ReadRequest(
            self.spans | other.spans, self.rejected + other.rejected, self.item_count + other.item_count
        )


def read_request(
    spans: Iterable[Span],
    now_s: float,
    shorten: Callable[[log_pb2.Log], None] = lambda _: None,
    first_index: int = 0,
) -> ReadRequest:
    """Read the spans of a request.

    Args:
        spans: In the order of the request.
        now_s: Seconds since 1970.
        shorten: Redacts and cuts the texts of a log.
        first_index: Place of the first span in the request.
    """
    read, rejected = dict[Key, ReadSpan](), list[RejectedItem]()
    index = first_index - 1
    for index, span in enumerate(spans, first_index):
        violation = f"too many spans: at most {MAX_SPANS}" if index >= MAX_SPANS else _violation(span)
        if violation is None:
            found = _read_span(span, shorten)
            violation = _log_violation(found, now_s)
        if violation is not None:
            rejected.append(RejectedItem(index, violation))
        else:
            read[found.node.key] = found
    return ReadRequest(read, rejected, index + 1 - first_index)


def _violation(span: Span) -> str | None:
    """Return what is wrong with a span, naming the field; None when it is right.

    Log records that are posted as traces decode as spans whose ids are broken.
    """
    if not _is_id(span.trace_id, 32):
        return "trace_id: must be 16 bytes, not all zero"
    if not _is_id(span.span_id, 16):
        return "span_id: must be 8 bytes, not all zero"
    if span.parent_span_id.strip("0") and not _is_id(span.parent_span_id, 16):
        return "parent_span_id: must be 8 bytes"
    if not span.start_ns:
        return "start_time_unix_nano: must be set"
    if span.end_ns < span.start_ns:
        return "end_time_unix_nano: must not be before start_time_unix_nano"
    return None


def _is_id(text: str, digits: int) -> bool:
    return len(text) == digits and _HEX.issuperset(text) and bool(text.strip("0"))


def _read_span(span: Span, shorten: Callable[[log_pb2.Log], None]) -> ReadSpan:
    span.parent_span_id = span.parent_span_id if span.parent_span_id.strip("0") else ""
    classified = classify(span)
    view = call_log(span, classified) if classified.role.is_call else context_log(span, classified)
    if classified.role.is_call and span.parent_span_id and _says_nothing(view):
        classified = classified._replace(role=classified.role._replace(is_call=False))
        view = context_log(span, classified)
    if view is not None:
        shorten(view)
    return ReadSpan(span, classified, _node_of(span, classified, view), view)


def _says_nothing(view: log_pb2.Log | None) -> bool:
    """Tell whether what is called a call is none, such as a chunk of a stream that has a span of its own."""
    return view is not None and not (
        view.model != UNKNOWN
        or view.usage_source == log_pb2.USAGE_SOURCE_REPORTED
        or view.HasField("total_token_count")
        or view.provider_response_id
        or view.provider_request_id
        or view.input_preview
        or view.outcome == log_pb2.OUTCOME_ERROR
    )


def _node_of(span: Span, classified: Classified, view: log_pb2.Log | None) -> Node:
    kind = Kind.CALL if classified.role.is_call else Kind.BOUNDARY if classified.is_boundary else Kind.STEP
    node = Node(
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        kind,
        classified.role.operation,
        span.start_ns,
        span.end_ns,
        has_context=view is not None,
    )
    if kind is not Kind.CALL or view is None:
        return node
    return node._replace(
        start_ns=view.start_time.ToNanoseconds(),
        response_id=view.provider_response_id or view.provider_request_id,
        scope=span.scope,
        likeness=_likeness_of(span, view),
    )


def _likeness_of(span: Span, view: log_pb2.Log) -> str:
    """Return what two views of a call say alike: process, model, texts, tokens and outcome.

    It is empty where that is too little to tell calls apart.
    """
    process = span.text_of_resource("service.instance.id")
    is_told = view.input_preview and (view.output_preview or view.outcome == log_pb2.OUTCOME_ERROR)
    if not process or not is_told:
        return ""
    said = (
        process,
        view.operation,
        view.model,
        view.outcome,
        view.input_token_count if view.HasField("input_token_count") else None,
        view.output_token_count if view.HasField("output_token_count") else None,
        view.input_preview,
        view.output_preview,
    )
    return hashlib.blake2b(repr(said).encode(), digest_size=16).hexdigest()


def _log_violation(read: ReadSpan, now_s: float) -> str | None:
    if read.node.kind is not Kind.CALL or read.view is None:
        return None
    log = log_pb2.Log()
    log.CopyFrom(read.view)
    log.log_id = _ANY_LOG_ID  # that of its group comes later, and is right
    log.session_id = log.session_id or log.trace_id
    return find_violation(log, now_s)

"""Parts of a trace: calls, which are logs, and the spans around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1 import span_pb2
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, Log

from streamlit_app import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

LLM: Final = "llm"
TOOL: Final = "tool"
_KINDS: Final = {
    "execute_tool": TOOL,
    "embeddings": "embedding",
    "rerank": "retriever",
    "invoke_agent": "agent",
    "retrieval": "retriever",
}
_STEP: Final = "chain"
"""Kind of a span that is no call, and does nothing that has a kind of its own."""
_OUTCOMES: Final = {OUTCOME_ERROR: "error", OUTCOME_CANCELLED: "cancelled"}


class Span(NamedTuple):
    """A part of a trace. Times are in seconds since 1970; what is unknown is None."""

    id: str
    parent_id: str
    """Empty for a part that nothing called."""
    kind: str
    name: str
    start: float
    end: float
    has_end: bool
    """False where it is not known how long it took: ``end`` is ``start`` then."""
    outcome: str = "success"
    error_code: str = ""
    first_token: float | None = None
    """When the first token came."""
    tokens: int | None = None
    cost_nano_usd: int | None = None
    log_id: str = ""
    """The log to open; empty for parts that are no calls."""


def spans_of(logs: Iterable[Log], steps: Iterable[span_pb2.Span] = ()) -> list[Span]:
    """Return the spans of calls, each with an id of its own, and the steps around them.

    A producer may repeat a span id. A step that shows a call is that call where they have one id; else it
    stands around the call, as another instrumentation saw it, and opens the same log.
    """
    spans: dict[str, Span] = {}
    for log in logs:
        span = from_log(log)
        spans.setdefault(span.id, span)
        if spans[span.id] is not span:
            spans[log.log_id] = span._replace(id=log.log_id)
    for step in steps:
        if step.span_id not in spans:
            spans[step.span_id] = from_step(step)
    return list(spans.values())


def from_step(step: span_pb2.Span) -> Span:
    """Return the span of a step. It has no tokens and costs nothing: its calls do."""
    failed = step.status == span_pb2.SPAN_STATUS_ERROR
    return Span(
        id=step.span_id,
        parent_id=step.parent_span_id,
        kind=_STEP if step.log_id else _KINDS.get(step.operation, _STEP),
        name=step.name,
        start=_epoch(fmt.timestamp(step.start_time)),
        end=_epoch(fmt.timestamp(step.end_time)),
        has_end=True,
        outcome="error" if failed else "success",
        log_id=step.log_id,
    )


def from_log(log: Log) -> Span:
    """Return the span of a call."""
    start = _epoch(fmt.timestamp(log.start_time))
    latency = _latency_s(log)
    first = fmt.seconds(log.time_to_first_token) if log.HasField("time_to_first_token") else None
    return Span(
        id=log.span_id or log.log_id,
        parent_id=log.parent_span_id,
        kind=_KINDS.get(log.operation, LLM),
        name=f"{log.operation or 'chat'} {log.model}",
        start=start,
        end=start + (latency or 0),
        has_end=latency is not None,
        outcome=_OUTCOMES.get(log.outcome, "success"),
        error_code=log.error_code,
        first_token=None if first is None else start + first,
        tokens=_tokens(log),
        cost_nano_usd=log.cost_nano_usd if log.HasField("cost_nano_usd") else None,
        log_id=log.log_id,
    )


def _latency_s(log: Log) -> float | None:
    if log.HasField("latency"):
        return fmt.seconds(log.latency)
    if log.HasField("end_time"):
        return max(0.0, _epoch(fmt.timestamp(log.end_time)) - _epoch(fmt.timestamp(log.start_time)))
    return None


def _tokens(log: Log) -> int | None:
    if log.HasField("total_token_count"):
        return log.total_token_count
    if log.HasField("input_token_count") or log.HasField("output_token_count"):
        return log.input_token_count + log.output_token_count
    return None


def _epoch(time: datetime) -> float:
    return time.timestamp()

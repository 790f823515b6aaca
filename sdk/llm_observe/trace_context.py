"""The application's W3C trace context, read where it has loaded OpenTelemetry. Never imports it.

A call notes the span that is current when it is made: one that the SDK records, or one of OpenTelemetry's,
whichever is the inner one. Its log gets the trace's id, and its batch tells the collector which spans it
comes from. OpenTelemetry does not see the SDK's spans: what it sends elsewhere would lack its parents.
"""

from __future__ import annotations

import re
from sys import modules
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_observe.v1.log_pb2 import Log

HEADER: Final = "traceparent"
"""W3C: the one span that a request comes from."""
LINKS_HEADER: Final = "llm-observe-links"
"""The same for a batch of calls of several traces: values of ``traceparent``, separated by commas."""
MAX_LINKS: Final = 16
"""Further traces of a batch are not named."""
_SAMPLED: Final = 1
_UNKNOWN_SPAN: Final = f"{1:016x}"
_TRACEPARENT: Final = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class SpanContext(Protocol):
    """OpenTelemetry's, as far as it is used."""

    @property
    def trace_id(self) -> int: ...
    @property
    def span_id(self) -> int: ...
    @property
    def trace_flags(self) -> int: ...


class SpanIds(NamedTuple):
    """A span that the SDK records, or one that a ``traceparent`` names."""

    trace_id: int
    span_id: int
    trace_flags: int = _SAMPLED
    surrounding: tuple[int, int] | None = None
    """Trace and span id of OpenTelemetry's span that was current around it."""

    @property
    def traceparent(self) -> str:
        """The value of the header for requests that come from this span."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.trace_flags:02x}"


def parse_traceparent(value: object) -> SpanIds | None:
    """Return the span that the value of a ``traceparent`` header names; None if it is not valid."""
    # Not isinstance(), which raises for an unbound proxy.
    match = _TRACEPARENT.fullmatch(str.strip(value)) if issubclass(type(value), str) else None  # type: ignore[arg-type] # a str
    if match is None or (match[1] == "00" and match[5]):
        return None
    trace_id, span_id = int(match[2], 16), int(match[3], 16)
    return SpanIds(trace_id, span_id, int(match[4], 16) & _SAMPLED) if trace_id and span_id else None


def join(own: SpanIds | None, traceparent: object) -> SpanIds | None:
    """Return what takes the place of ``own`` where a request with this ``traceparent`` is handled.

    If the current span is of the same trace, it is nearer, as where OpenTelemetry has read the header, too.
    """
    given = parse_traceparent(traceparent)
    if given is None:
        return own
    current = span_around(own)
    if current is not None and current.trace_id == given.trace_id:
        return own
    return given._replace(surrounding=opentelemetry_ids())


def span_around(own: SpanIds | None) -> SpanContext | None:
    """Return the current span; ``own`` is the innermost one that the SDK knows."""
    context = current_span_context()
    if own is None:
        return context
    if context is None or (context.trace_id, context.span_id) == own.surrounding or not is_sampled(context):
        return own
    return context


def opentelemetry_ids() -> tuple[int, int] | None:
    """Return trace and span id of OpenTelemetry's current span."""
    context = current_span_context()
    return None if context is None else (context.trace_id, context.span_id)


def current_span_context() -> SpanContext | None:
    """Return the context of the application's current span; None without OpenTelemetry or a span."""
    trace = modules.get("opentelemetry.trace")
    if trace is None:
        return None
    try:
        context: SpanContext = trace.get_current_span().get_span_context()
    except Exception:  # noqa: BLE001 - another thread may be importing it; a call never fails for a trace
        return None
    return context if context.trace_id else None


def set_trace(log: Log, context: SpanContext) -> None:
    """Give a log the ids of the span in which its call was made.

    A span that is not sampled is recorded nowhere. Its log has the trace's id alone, which groups the calls.
    """
    if not has_valid_ids(context):
        return
    log.trace_id = f"{context.trace_id:032x}"
    if is_sampled(context):
        log.parent_span_id = f"{context.span_id:016x}"


def has_valid_ids(context: SpanContext) -> bool:
    """Return whether the ids of a foreign span are such."""
    return _is_id(context.trace_id, 128) and _is_id(context.span_id, 64)


def is_sampled(context: SpanContext) -> bool:
    """Return whether a span is recorded."""
    flags: object = context.trace_flags  # of a foreign tracer
    return isinstance(flags, int) and bool(flags & _SAMPLED)


def _is_id(value: object, bits: int) -> bool:
    """Check an id: those of a test double or a foreign tracer may be anything, and must not cost the log."""
    return isinstance(value, int) and 0 < value < 1 << bits


def traceparents(logs: Iterable[Log]) -> list[str]:
    """Return the ``traceparent`` of each sampled trace that logs belong to, at most MAX_LINKS."""
    found: dict[str, str] = {}
    for log in logs:
        trace_id = log.trace_id
        if trace_id and trace_id not in found and log.parent_span_id:
            found[trace_id] = f"00-{trace_id}-{log.parent_span_id}-01"
    return list(found.values())[:MAX_LINKS]


def trace_metadata(logs: Iterable[Log]) -> tuple[tuple[str, str], ...]:
    """Return the metadata that tells which spans a batch comes from; empty without any."""
    sampled = traceparents(logs)
    if len(sampled) > 1:
        return ((LINKS_HEADER, ",".join(sampled)),)
    if sampled:
        return ((HEADER, sampled[0]),)
    unsampled = next((log.trace_id for log in logs if log.trace_id), "")
    return ((HEADER, f"00-{unsampled}-{_UNKNOWN_SPAN}-00"),) if unsampled else ()

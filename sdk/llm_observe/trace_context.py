"""The application's W3C trace context, read where it has loaded OpenTelemetry. Never imports it.

The SDK opens no spans. A call notes the span that is current when it is made; its log gets the trace's
id, and its batch tells the collector which spans it comes from.
"""

from __future__ import annotations

from sys import modules
from typing import TYPE_CHECKING, Final, Protocol

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


class SpanContext(Protocol):
    """OpenTelemetry's, as far as it is used."""

    @property
    def trace_id(self) -> int: ...
    @property
    def span_id(self) -> int: ...
    @property
    def trace_flags(self) -> int: ...


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
    if not _is_id(context.trace_id, 128) or not _is_id(context.span_id, 64):
        return
    log.trace_id = f"{context.trace_id:032x}"
    if context.trace_flags & _SAMPLED:
        log.parent_span_id = f"{context.span_id:016x}"


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

"""Spans by OpenTelemetry's SDK, sent by OTLP. Imported only where traces are sent: it takes 0.7 s and 40 MB.

A collector that is away costs nothing but its spans: they wait in a bounded queue, and errors are not logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from telemetry.resource import make_resource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.sampling import SamplingResult
    from opentelemetry.trace import TraceState
    from opentelemetry.util.types import Attributes as OtelAttributes

    from telemetry.tracing import Attributes, Kind

_KINDS: Final = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "consumer": SpanKind.CONSUMER}
_FAILED: Final = Status(StatusCode.ERROR)  # never with a description, which would be an exception's text
_NO_CONTEXT: Final = context_api.Context()


class OtlpSpan:
    """A span of OpenTelemetry; see telemetry.tracing.Span."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token: Token[Context] | None = None

    def __enter__(self) -> Self:
        self._token = context_api.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(self, *_: object) -> None:
        # What opened the span says how it failed: of an exception that passes nothing is recorded.
        if self._token is not None:
            context_api.detach(self._token)
        self._span.end()

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(attributes)

    def fail(self, error_type: str) -> None:
        """Mark the span as failed, by a word that tells the kind of error."""
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(_FAILED)


class OtlpTracer:
    """Records spans and sends them to the collector that OpenTelemetry's variables name."""

    def __init__(self, process: str, *, follows_callers: bool) -> None:
        self.follows_callers = follows_callers
        """Whether a caller's decision not to sample its trace holds here."""
        self._provider = TracerProvider(resource=make_resource(process), shutdown_on_exit=False)
        self._provider.sampler = _LinkedSampler(self._provider.sampler)
        self.exporter = OTLPSpanExporter()
        self._provider.add_span_processor(BatchSpanProcessor(self.exporter))
        self._tracer = self._provider.get_tracer("llm_observe")

    def open_span(
        self, name: str, kind: Kind, attributes: Attributes, parents: Sequence[str] | None
    ) -> OtlpSpan:
        """Return a span to enter; see telemetry.tracing.open_span."""
        context, links = _relate(parents)
        span = self._tracer.start_span(
            name,
            context,
            _KINDS[kind],
            attributes,
            links,
            record_exception=False,
            set_status_on_exception=False,
        )
        return OtlpSpan(span)

    def current_traceparent(self) -> str:
        """Return the current span's ``traceparent``; empty unless it is sampled."""
        context = trace.get_current_span().get_span_context()
        if not context.trace_flags & TraceFlags.SAMPLED:
            return ""
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def current_ids(self) -> tuple[str, str] | None:
        """Return trace id and span id of the current span, if there is one."""
        context = trace.get_current_span().get_span_context()
        return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None

    def shutdown(self) -> None:
        """Send what waits. It may take half a minute where the collector is away."""
        self._provider.shutdown()


class _LinkedSampler(Sampler):
    """Samples what continues several traces: all that are named are sampled, and none is its parent."""

    def __init__(self, others: Sampler) -> None:
        self._others = others

    def should_sample(  # noqa: PLR0917 - OpenTelemetry's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: OtelAttributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        sampler = ALWAYS_ON if links else self._others
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return self._others.get_description()


def _relate(parents: Sequence[str] | None) -> tuple[Context | None, list[Link] | None]:
    """Return the context and the links of a span that continues what ``parents`` name."""
    if parents is None:
        return None, None
    contexts = [_read(parent) for parent in parents]
    if len(contexts) == 1:
        return trace.set_span_in_context(NonRecordingSpan(contexts[0]), _NO_CONTEXT), None
    return _NO_CONTEXT, [Link(context) for context in contexts]


def _read(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )

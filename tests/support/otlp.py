"""A collector of OTLP over gRPC in this process, which keeps what it gets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


class SeenSpan(NamedTuple):
    """A span as it arrived."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    failed: bool
    attributes: dict[str, Any]
    links: list[str]
    """Span ids."""
    raw: Any

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


@dataclass
class Collector:
    """Spans and metrics in the order in which they came."""

    port: int = 0
    spans: list[SeenSpan] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    """Every request, spans and metrics, for what must be in none."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def find(self, name: str) -> list[SeenSpan]:
        return [span for span in self.spans if span.name == name]

    def metrics(self) -> dict[tuple[str, str], Any]:
        """Return the newest state of each metric, by service and name."""
        found = {}
        for request in self.requests:
            for resource in getattr(request, "resource_metrics", ()):
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        found[_service(resource), metric.name] = metric
        return found

    def add(self, request: Any) -> None:
        self.requests.append(request)
        for resource in getattr(request, "resource_spans", ()):
            for scope in resource.scope_spans:
                self.spans.extend(_see(_service(resource), span) for span in scope.spans)


def _see(service: str, span: Any) -> SeenSpan:
    return SeenSpan(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        span.status.code == 2,
        {each.key: _value(each.value) for each in span.attributes},
        [link.span_id.hex() for link in span.links],
        span,
    )


def _service(resource: Any) -> str:
    names = (each.value.string_value for each in resource.resource.attributes if each.key == "service.name")
    return str(next(names))


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def running_collector() -> Iterator[Collector]:
    """Receive while the context lasts."""
    collector = Collector()

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
            collector.add(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
            collector.add(request)
            return metrics_service_pb2.ExportMetricsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
    collector.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()

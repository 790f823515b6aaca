"""An application with OpenTelemetry of its own: python -m tests.support.traced_application TRACES

It makes a call in each of so many traces, and prints their ids.
"""

from __future__ import annotations

import sys

import llm_observe
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def main(traces: int) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "application"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    client = llm_observe.LLMClient("demo")
    for _ in range(traces):
        with trace.get_tracer("application").start_as_current_span("answer a question") as span:
            client.chat([{"role": "user", "content": "hello"}])
            print(f"{span.get_span_context().trace_id:032x}")  # noqa: T201 - a program
    llm_observe.shutdown(300)
    provider.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))

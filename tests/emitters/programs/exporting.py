"""Sets OpenTelemetry up as an application does: spans go by OTLP over HTTP to where the environment says."""

from __future__ import annotations

import atexit

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor


def make_provider() -> TracerProvider:
    """Return the global provider, which sends each span as it ends, children before parents."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    atexit.register(provider.shutdown)
    return provider


def send_log_records() -> object:
    """Return the global provider of log records, by which some emitters send messages."""
    from opentelemetry._logs import set_logger_provider  # noqa: PLC0415 - for the emitters that need it
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: PLC0415
    from opentelemetry.sdk._logs import LoggerProvider  # noqa: PLC0415
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor  # noqa: PLC0415

    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    set_logger_provider(provider)
    atexit.register(provider.shutdown)
    return provider

"""OpenTelemetry's three collector services, on the port that serves ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from codec.otlp.decode_protobuf import read_records, read_spans
from server.rpc.context import peer_address
from telemetry import metrics

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from server.otlp.intake import OtlpIntake, Taken
    from server.rpc.context import Context

METRICS_DROPPED: Final = metrics.OTLP_ITEMS.child("metric", "dropped")


def count_metrics(request: ExportMetricsServiceRequest) -> int:
    """Return how many metrics a request has."""
    return sum(
        len(scope.metrics) for resource in request.resource_metrics for scope in resource.scope_metrics
    )


def trace_response(taken: Taken) -> ExportTraceServiceResponse:
    """Return the answer to a request of spans; it is empty where all were taken, as the protocol demands."""
    response = ExportTraceServiceResponse()
    if taken.rejected_count:
        response.partial_success.rejected_spans = taken.rejected_count
        response.partial_success.error_message = taken.message
    return response


def logs_response(taken: Taken) -> ExportLogsServiceResponse:
    """Return the answer to a request of log records, likewise."""
    response = ExportLogsServiceResponse()
    if taken.rejected_count:
        response.partial_success.rejected_log_records = taken.rejected_count
        response.partial_success.error_message = taken.message
    return response


class OtlpTraceService:
    """Receives traces."""

    def __init__(self, intake: OtlpIntake) -> None:
        self._intake = intake

    async def Export(
        self, request: ExportTraceServiceRequest, context: Context
    ) -> ExportTraceServiceResponse:
        """Take spans."""
        return trace_response(await self._intake.take_spans(read_spans(request), peer_address(context)))


class OtlpLogsService:
    """Receives log records."""

    def __init__(self, intake: OtlpIntake) -> None:
        self._intake = intake

    async def Export(self, request: ExportLogsServiceRequest, context: Context) -> ExportLogsServiceResponse:
        """Take log records."""
        return logs_response(await self._intake.take_records(read_records(request), peer_address(context)))


class OtlpMetricsService:
    """Receives metrics, which are not kept: they are sums of what the spans say, without saying of which."""

    async def Export(
        self,
        request: ExportMetricsServiceRequest,
        context: Context,
    ) -> ExportMetricsServiceResponse:
        """Drop metrics, and count them. A refusal would make SDKs log errors."""
        METRICS_DROPPED.record(count_metrics(request))
        return ExportMetricsServiceResponse()

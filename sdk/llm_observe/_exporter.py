"""Sends batches over gRPC. Used by the sender's threads only; the first batch imports grpc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._fork_barrier import ForkBarrier
from llm_observe._guard import logger
from llm_observe._loading import forks_wait
from llm_observe.channel import bearer, connection_problem, open_configured
from llm_observe.exporter import ExportResult
from llm_observe.trace_context import trace_metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    from llm_observe._config import Config
    from llm_observe.v1.ingest_service_pb2 import (
        IngestLogsRequest,
        IngestLogsResponse,
        IngestSpansRequest,
        IngestSpansResponse,
    )
    from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

_RETRYABLE: Final = frozenset(
    {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "DEADLINE_EXCEEDED", "CANCELLED"}
)
_MISSING_FILE_RETRY_S: Final = 5.0


def load() -> None:
    """Load what is needed to send, while no process is forked."""
    with forks_wait():
        import grpc  # noqa: F401, PLC0415 - takes 80 ms, too long at import

        from llm_observe import _retry_info  # noqa: F401, PLC0415 - as above
        from llm_observe.v1 import ingest_service_pb2_grpc  # noqa: F401, PLC0415 - as above


class GrpcExporter:
    """Sends over a channel to the collector, which is made with the first batch, and anew after a fork."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._metadata = bearer(config.api_key)
        self._channel: grpc.Channel | None = None
        self._stub: IngestServiceStub | None = None
        self._problem = ""
        self._forks = ForkBarrier(self.close)

    def export(self, request: IngestLogsRequest, timeout_s: float) -> ExportResult:
        """Send a batch once, within timeout_s seconds. Errors of network and server do not raise."""

        def send(stub: IngestServiceStub) -> ExportResult:
            metadata = (*self._metadata, *trace_metadata(request.logs))
            response: IngestLogsResponse = stub.IngestLogs(request, timeout=timeout_s, metadata=metadata)
            return ExportResult(accepted=response.accepted_log_count, rejected=response.rejected_log_count)

        return self._attempt(send)

    def export_spans(self, request: IngestSpansRequest, timeout_s: float) -> ExportResult:
        """Send a batch of spans likewise. Servers that are too old for spans refuse it."""

        def send(stub: IngestServiceStub) -> ExportResult:
            response: IngestSpansResponse = stub.IngestSpans(
                request, timeout=timeout_s, metadata=self._metadata
            )
            return ExportResult(accepted=response.accepted_span_count, rejected=response.rejected_span_count)

        return self._attempt(send)

    def _attempt(self, send: Callable[[IngestServiceStub], ExportResult]) -> ExportResult:
        if self._stub is None:
            load()
        with self._forks.call():
            return self._attempt_now(send)

    def _attempt_now(self, send: Callable[[IngestServiceStub], ExportResult]) -> ExportResult:
        import grpc  # noqa: PLC0415 - takes 80 ms, too long at import

        stub: IngestServiceStub | None = None
        try:
            stub = self._connect()
            return send(stub)
        except ValueError:
            if stub is self._stub:
                raise
            return ExportResult(retry=True, failure="CANCELLED")  # close() came first
        except OSError as error:  # a certificate's file, which may still appear
            self._warn(f"cannot read {error.filename}: {error.strerror}")
            return ExportResult(retry=True, retry_after_s=_MISSING_FILE_RETRY_S, failure=type(error).__name__)
        except grpc.RpcError as error:
            from llm_observe._retry_info import retry_after_s  # noqa: PLC0415 - loaded when first needed

            code = error.code().name
            wait_s = retry_after_s(error)
            self._warn(connection_problem(error))
            return ExportResult(retry=code in _RETRYABLE, retry_after_s=wait_s, failure=code)

    def _warn(self, problem: str) -> None:
        """Say once what keeps every batch from being sent, until somebody mends it."""
        if problem and problem != self._problem:
            logger.warning("llm_observe: nothing can be sent to %s: %s", self._config.endpoint, problem)
        self._problem = problem or self._problem

    def _connect(self) -> IngestServiceStub:
        stub = self._stub
        if stub is None:
            from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub  # noqa: PLC0415 - as above

            with forks_wait():  # gRPC loads the rest of itself with its first channel
                channel = open_configured(self._config)
            stub = IngestServiceStub(channel)
            self._channel, self._stub = channel, stub
        return stub

    def close(self) -> None:
        """Close the channel, which ends the calls over it; the next batch makes a new one."""
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            channel.close()

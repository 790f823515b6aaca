"""Sends one batch over gRPC. Used by the sender's thread only; grpc is imported with the first send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe.channel import bearer, open_configured
from llm_observe.exporter import ExportResult

if TYPE_CHECKING:
    import grpc

    from llm_observe._config import Config
    from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
    from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

_RETRYABLE: Final = frozenset(
    {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "DEADLINE_EXCEEDED", "CANCELLED"}
)
_NO_FILE_WAIT_S: Final = 5.0


class GrpcExporter:
    """A lazily made channel to one collector."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._metadata = bearer(config.api_key)
        self._channel: grpc.Channel | None = None
        self._stub: IngestServiceStub | None = None

    def export(self, request: IngestLogsRequest, timeout_s: float) -> ExportResult:
        """Send once, within timeout_s seconds. Never raises for what the network or server does."""
        import grpc  # noqa: PLC0415 - 80 ms that no application should pay at import

        try:
            response = self._connect().IngestLogs(request, timeout=timeout_s, metadata=self._metadata)
        except OSError as error:  # a certificate's file: it may be put there yet
            return ExportResult(retry=True, retry_after_s=_NO_FILE_WAIT_S, failure=type(error).__name__)
        except grpc.RpcError as error:
            from llm_observe._retry_info import retry_after_s  # noqa: PLC0415 - loaded when first needed

            code = error.code().name
            wait_s = retry_after_s(error)
            return ExportResult(retry=code in _RETRYABLE, retry_after_s=wait_s, failure=code)
        return ExportResult(accepted=response.accepted_log_count, rejected=response.rejected_log_count)

    def _connect(self) -> IngestServiceStub:
        if self._stub is None:
            from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub  # noqa: PLC0415 - as above

            config = self._config
            self._channel = open_configured(config)
            self._stub = IngestServiceStub(self._channel)
        return self._stub

    def close(self) -> None:
        """Drop the channel; the next export makes a new one."""
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            channel.close()

"""Sends one batch over gRPC. Used by the sender's thread only; grpc is imported with the first send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import grpc

    from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
    from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

_RETRYABLE: Final = frozenset(
    {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "DEADLINE_EXCEEDED", "CANCELLED"}
)


class ExportResult(NamedTuple):
    """What became of a batch."""

    accepted: int = 0
    rejected: int = 0
    retry: bool = False
    """True when the batch should be sent again, unchanged."""
    retry_after_s: float = 0.0
    """How long the server asks to wait before that, in seconds."""
    failure: str = ""
    """The status code's name when the call failed."""


class Exporter:
    """A lazily made channel to one collector."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._channel: grpc.Channel | None = None
        self._stub: IngestServiceStub | None = None

    def export(self, request: IngestLogsRequest, timeout_s: float) -> ExportResult:
        """Send once, within timeout_s seconds. Never raises for what the network or server does."""
        import grpc  # noqa: PLC0415 - 80 ms that no application should pay at import

        try:
            response = self._connect().IngestLogs(request, timeout=timeout_s)
        except grpc.RpcError as error:
            from llm_observe._retry_info import retry_after_s  # noqa: PLC0415 - loaded when first needed

            code = error.code().name
            wait_s = retry_after_s(error)
            return ExportResult(retry=code in _RETRYABLE, retry_after_s=wait_s, failure=code)
        return ExportResult(accepted=response.accepted_log_count, rejected=response.rejected_log_count)

    def _connect(self) -> IngestServiceStub:
        if self._stub is None:
            import grpc  # noqa: PLC0415 - as above

            from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub  # noqa: PLC0415 - as above

            self._channel = grpc.insecure_channel(
                self._endpoint,
                options=[
                    ("grpc.max_reconnect_backoff_ms", 5_000),
                    ("grpc.initial_reconnect_backoff_ms", 200),
                    ("grpc.enable_http_proxy", 0),
                ],
            )
            self._stub = IngestServiceStub(self._channel)
        return self._stub

    def close(self) -> None:
        """Drop the channel; the next export makes a new one."""
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            channel.close()

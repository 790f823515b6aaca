"""What takes batches of logs in place of the collector: see ``exporter`` of :func:`llm_observe.configure`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest


class ExportResult(NamedTuple):
    """What became of a batch."""

    accepted: int = 0
    rejected: int = 0
    retry: bool = False
    """True when the batch should be sent again, unchanged."""
    retry_after_s: float = 0.0
    """How long to wait before that, in seconds."""
    failure: str = ""
    """Why the batch was not taken, in a word, such as the name of a gRPC status code; empty when it was."""


class Exporter(Protocol):
    """Sends batches. Its method is called on the SDK's thread, one batch at a time."""

    def export(self, request: IngestLogsRequest, timeout_s: float, /) -> ExportResult:
        """Send a batch once, within timeout_s seconds. It must not raise for what the other side does."""
        ...

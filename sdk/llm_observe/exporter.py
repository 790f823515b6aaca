"""An exporter receives the batches instead of the collector: see :func:`llm_observe.configure`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest


class ExportResult(NamedTuple):
    """The outcome of a batch."""

    accepted: int = 0
    rejected: int = 0
    retry: bool = False
    """Whether to send the same batch again."""
    retry_after_s: float = 0.0
    """How long to wait before the retry, in seconds."""
    failure: str = ""
    """Why the batch was not accepted, such as the name of a gRPC status code; empty if it was."""


class Exporter(Protocol):
    """Sends batches. The SDK calls it on its own thread, one batch at a time.

    One that has a method ``export_spans``, which is like ``export`` but takes an IngestSpansRequest, gets the
    spans of ``observe(operation=...)`` as well, on another thread. Without it, spans are not recorded.
    """

    def export(self, request: IngestLogsRequest, timeout_s: float, /) -> ExportResult:
        """Send a batch once, within timeout_s seconds. Must not raise for errors of the receiver."""
        ...

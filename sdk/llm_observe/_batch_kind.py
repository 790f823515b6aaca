"""What a batcher sends: logs, or spans, which wait apart so that they never delay or displace a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, IngestSpansRequest

    Request = IngestLogsRequest | IngestSpansRequest


class BatchKind(NamedTuple):
    """A kind of records."""

    name: str
    """What they are called, which is also the name of a request's field."""
    request_name: str
    spool_folder: str = ""
    """Where they wait below the spool's folder. Hidden there: other folders are those of dead processes."""

    def new_request(self) -> Request:
        """Return an empty request. Loads protobuf."""
        from llm_observe.v1 import ingest_service_pb2  # noqa: PLC0415 - loaded with the first send

        request: Request = getattr(ingest_service_pb2, self.request_name)()
        return request

    def records(self, request: Request) -> Any:
        """Return a request's records."""
        return getattr(request, self.name)


LOGS: Final = BatchKind("logs", "IngestLogsRequest")
SPANS: Final = BatchKind("spans", "IngestSpansRequest", ".spans")

"""A batch as it arrives: read only as far as it must be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe.v1.ingest_service_pb2 import ProducerReport

    Scan = Callable[[bytes, float], tuple[int, bytes] | None]

scan_logs: Scan | None
try:
    from codec._scan import scan_logs
except ImportError:  # no C compiler when this was installed
    scan_logs = None


class DecodedBatch(NamedTuple):
    """An IngestLogsRequest."""

    payload: bytes
    """As it came."""
    log_count: int
    producer: ProducerReport
    request: IngestLogsRequest | None
    """The message, whose logs must be checked; None when they surely keep every rule and repeat no id."""


def decode_batch(data: bytes) -> DecodedBatch:
    """Read a request.

    Raises:
        google.protobuf.message.DecodeError: It is none.
    """
    scanned = scan_logs(data, time.time()) if scan_logs is not None else None
    if scanned is not None:
        count, others = scanned
        return DecodedBatch(data, count, IngestLogsRequest.FromString(others).producer, None)
    request = IngestLogsRequest.FromString(data)
    return DecodedBatch(data, len(request.logs), request.producer, request)

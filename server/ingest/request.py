"""A batch as it arrives: read only as far as it must be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from codec.extensions import scan_logs

if TYPE_CHECKING:
    from llm_observe.v1.ingest_service_pb2 import ProducerReport


class DecodedBatch(NamedTuple):
    """An IngestLogsRequest."""

    payload: bytes
    """As it came."""
    log_count: int
    producer: ProducerReport
    request: IngestLogsRequest | None
    """The message, whose logs must be checked; None when they provably keep every rule and repeat no id."""


def decode_batch(data: bytes) -> DecodedBatch:
    """Read a request.

    Raises:
        google.protobuf.message.DecodeError: It is none.
    """
    scanned = scan_logs(data, time.time())
    if scanned is not None:
        count, others = scanned
        return DecodedBatch(data, count, IngestLogsRequest.FromString(others).producer, None)
    request = IngestLogsRequest.FromString(data)
    return DecodedBatch(data, len(request.logs), request.producer, request)

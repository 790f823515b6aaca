"""Decodes batches, in the common case without making messages of their logs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from codec.extensions import scan_logs

if TYPE_CHECKING:
    from llm_observe.v1.ingest_service_pb2 import ProducerReport


class DecodedBatch(NamedTuple):
    """An IngestLogsRequest, decoded as far as needed."""

    payload: bytes
    """The request's bytes."""
    log_count: int
    producer: ProducerReport
    request: IngestLogsRequest | None
    """The message, whose logs must be checked; None when the scan has proved them valid and distinct."""


def decode_batch(data: bytes) -> DecodedBatch:
    """Decode a request.

    Raises:
        google.protobuf.message.DecodeError: The bytes are not an IngestLogsRequest.
    """
    scanned = scan_logs(data, time.time())
    if scanned is not None:
        count, others = scanned
        return DecodedBatch(data, count, IngestLogsRequest.FromString(others).producer, None)
    request = IngestLogsRequest.FromString(data)
    return DecodedBatch(data, len(request.logs), request.producer, request)

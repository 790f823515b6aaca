"""Checks whole batches in plain Python: the twin of codec/_scan.pyx."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from llm_observe.limits import MAX_BATCH_LOGS
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from codec.rules import find_violation


def scan_logs(data: bytes, now_s: float) -> tuple[int, bytes] | None:
    """Return how many logs an IngestLogsRequest has, and the bytes of its other fields.

    None unless the batch is valid as it is: it cannot be read, a log breaks a rule, or two have the same id.
    """
    try:
        request = IngestLogsRequest.FromString(data)
    except DecodeError:
        return None
    count = len(request.logs)
    if count > MAX_BATCH_LOGS or len({log.log_id.lower() for log in request.logs}) < count:
        return None
    if any(find_violation(log, now_s) for log in request.logs):
        return None
    del request.logs[:]
    return count, request.SerializeToString()

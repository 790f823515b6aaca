"""Decodes batches, in the common case without making messages of their logs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from google.protobuf.message import DecodeError
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import Log

from codec.extensions import scan_logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe.v1.ingest_service_pb2 import ProducerReport

_LOGS: Final = IngestLogsRequest.LOGS_FIELD_NUMBER
_VARINT_BYTES: Final = 10


class DecodedBatch(NamedTuple):
    """An IngestLogsRequest, decoded as far as needed."""

    payload: bytes
    """The request's bytes."""
    log_count: int
    producer: ProducerReport
    request: IngestLogsRequest | None
    """The message, whose logs must be checked; None when the scan has proved them valid and distinct."""
    undecodable: frozenset[int] = frozenset()
    """Indexes of logs that cannot be decoded; in the message they are empty."""


def decode_batch(data: bytes) -> DecodedBatch:
    """Decode a request.

    Raises:
        DecodeError: The bytes are not an IngestLogsRequest, whatever its logs are.
    """
    scanned = scan_logs(data, time.time())
    if scanned is not None:
        count, others = scanned
        return DecodedBatch(data, count, IngestLogsRequest.FromString(others).producer, None)
    try:
        request = IngestLogsRequest.FromString(data)
    except DecodeError:
        return _decode_each(data)
    return DecodedBatch(data, len(request.logs), request.producer, request)


def _decode_each(data: bytes) -> DecodedBatch:
    """Decode each log by itself, so that one with text that is not UTF-8 costs no other."""
    fields = list(_fields(data))
    others = b"".join(data[begin:end] for number, begin, _, end in fields if number != _LOGS)
    request = IngestLogsRequest.FromString(others)
    undecodable = set()
    for _, _, begin, end in (field for field in fields if field[0] == _LOGS):
        try:
            request.logs.append(Log.FromString(data[begin:end]))
        except DecodeError:
            undecodable.add(len(request.logs))
            request.logs.add()
    return DecodedBatch(data, len(request.logs), request.producer, request, frozenset(undecodable))


def _fields(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield each field of a message: its number, and where it, its value, and the next field begin."""
    at = 0
    while at < len(data):
        begin = at
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:  # varint
                value, at = at, _varint(data, at)[1]
            case 1:  # 64 bits
                value, at = at, at + 8
            case 2:  # bytes
                size, value = _varint(data, at)
                at = value + size
            case 5:  # 32 bits
                value, at = at, at + 4
            case _:
                raise DecodeError("unknown type of field")
        if at > len(data):
            raise DecodeError("truncated")
        yield tag >> 3, begin, value, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = 0
    for shift, byte in enumerate(data[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:  # noqa: PLR2004 - no more bytes follow
            return value, at + shift + 1
    raise DecodeError("truncated")

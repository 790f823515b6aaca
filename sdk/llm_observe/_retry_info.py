"""Reads google.rpc.RetryInfo from a failed call's trailers, without googleapis-common-protos.

Wire format: https://protobuf.dev/programming-guides/encoding/. google.rpc.Status holds ``repeated Any
details = 3``; Any holds ``type_url = 1`` and ``value = 2``; RetryInfo holds ``Duration retry_delay = 1``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRAILER: Final = "grpc-status-details-bin"
_TYPE: Final = "/google.rpc.RetryInfo"
_DETAILS: Final = 3
_RETRY_DELAY: Final = 1
_VARINT, _LENGTH_DELIMITED = 0, 2


def retry_after_s(error: Any) -> float:  # a grpc.RpcError; in its type stubs, metadata are not tuples
    """Return how long the server asks clients to wait, in seconds; 0 if it does not ask."""
    for key, value in error.trailing_metadata() or ():
        if key == _TRAILER:
            try:
                return _read_status(value)
            except (IndexError, ValueError):
                return 0.0
    return 0.0


def _read_status(data: bytes) -> float:
    for number, value in _fields(data):
        if number == _DETAILS and isinstance(value, bytes):
            detail = AnyMessage.FromString(value)
            if detail.type_url.endswith(_TYPE):
                encoded = next(part for field, part in _fields(detail.value) if field == _RETRY_DELAY)
                delay = Duration.FromString(encoded) if isinstance(encoded, bytes) else Duration()
                return max(0.0, delay.seconds + delay.nanos / 1e9)
    return 0.0


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield the (field number, value) pairs of a message. Supports only the wire types in these messages."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at)
        if tag & 7 == _VARINT:
            yield tag >> 3, value
        elif tag & 7 == _LENGTH_DELIMITED:
            yield tag >> 3, data[at : at + value]
            at += value
        else:
            raise ValueError("google.rpc.Status does not use this wire type")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, at

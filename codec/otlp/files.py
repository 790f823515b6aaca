"""Reads files of export requests: JSON or protobuf, one request or many, as collectors write them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from codec.json_files import NotJson, read_documents
from codec.otlp.decode_json import read_id

if TYPE_CHECKING:
    from collections.abc import Iterator

Json: TypeAlias = Any
"""What JSON holds, which protobuf checks."""
Request: TypeAlias = ExportTraceServiceRequest | ExportLogsServiceRequest

_ID_SIZES: Final = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
_SIZE_BYTES: Final = 4
_START_BYTES: Final = 64
_MAX_SIZE: Final = 1 << 28
_FIELDS: Final = {
    ExportTraceServiceRequest: ("resource_spans", "scope_spans", "spans"),
    ExportLogsServiceRequest: ("resource_logs", "scope_logs", "log_records"),
}
_MAX_ITEMS: Final = 1_000
"""Spans or log records that are sent at once."""
_MAX_BYTES: Final = 3_000_000
"""What they take together, but for a single larger one."""


class UnreadableFile(ValueError):
    """A file holds something else; the message says what."""


def read_requests(file: BinaryIO, *, as_logs: bool) -> Iterator[Request]:
    """Yield the requests of a file; those of metrics are left out.

    Args:
        file: Opened for reading bytes.
        as_logs: Whether protobuf holds log records: it does not say so itself, as JSON does.

    Raises:
        UnreadableFile: It holds no such requests, or not only these.
    """
    start = file.read(_START_BYTES)
    file.seek(0)
    # A request in protobuf begins with the byte that is a line feed in text.
    if start.lstrip()[:1] in {b"{", b"["} and start[:1] != b"\n":
        yield from _read_json(file)
    elif start:
        yield from _read_protobuf(
            file.read(), ExportLogsServiceRequest if as_logs else ExportTraceServiceRequest
        )


def split(request: Request) -> Iterator[Request]:
    """Yield a request in pieces that a server takes at once."""
    outer, middle, inner = _FIELDS[type(request)]
    piece, count, size = type(request)(), 0, 0
    for resource in getattr(request, outer):
        for scope in getattr(resource, middle):
            target = None
            for item in getattr(scope, inner):
                if count and (count == _MAX_ITEMS or size + item.ByteSize() > _MAX_BYTES):
                    yield piece
                    piece, count, size, target = type(request)(), 0, 0, None
                if target is None:
                    holder = getattr(piece, outer).add(resource=resource.resource)
                    target = getattr(getattr(holder, middle).add(scope=scope.scope), inner)
                target.append(item)
                count, size = count + 1, size + item.ByteSize()
    if count:
        yield piece


def count_items(request: Request) -> int:
    """Return how many spans or log records a request has."""
    outer, middle, inner = _FIELDS[type(request)]
    return sum(
        len(getattr(scope, inner))
        for resource in getattr(request, outer)
        for scope in getattr(resource, middle)
    )


def _read_json(file: BinaryIO) -> Iterator[Request]:
    try:
        for document in read_documents(file):
            yield from _to_requests(document)
    except NotJson as error:
        raise UnreadableFile(str(error)) from None


def _to_requests(document: object) -> Iterator[Request]:
    for each in document if isinstance(document, list) else [document]:
        if not isinstance(each, dict):
            raise UnreadableFile("not an export request")
        known: dict[str, type[Request]] = {
            "resourceSpans": ExportTraceServiceRequest,
            "resourceLogs": ExportLogsServiceRequest,
        }
        kind = next((kind for key, kind in known.items() if key in each), None)
        if kind is None and "resourceMetrics" not in each:
            raise UnreadableFile("neither resourceSpans nor resourceLogs are in it")
        if kind is not None:
            yield _to_message(each, kind())


def _to_message(document: dict[str, Json], message: Request) -> Request:
    try:
        return json_format.ParseDict(_with_base64_ids(document), message, ignore_unknown_fields=True)
    except (json_format.ParseError, RecursionError):
        raise UnreadableFile("a field has a value of another type") from None


def _with_base64_ids(value: Json) -> Json:
    """Return OTLP's JSON as protobuf's: ids are hex there."""
    if isinstance(value, dict):
        return {
            key: _to_base64(item, _ID_SIZES[key]) if key in _ID_SIZES else _with_base64_ids(item)
            for key, item in value.items()
        }
    return [_with_base64_ids(item) for item in value] if isinstance(value, list) else value


def _to_base64(value: Json, size: int) -> str:
    found = read_id(value if isinstance(value, str) else None, size)
    return base64.b64encode(bytes.fromhex(found)).decode() if found != "?" else ""


def _read_protobuf(data: bytes, kind: type[Request]) -> Iterator[Request]:
    """Yield one request, or several of which each stands behind its size."""
    pieces = _by_size(data)
    try:
        yield from [kind.FromString(piece) for piece in (pieces if pieces is not None else [data])]
    except DecodeError:
        raise UnreadableFile("neither JSON nor protobuf of an export request") from None


def _by_size(data: bytes) -> list[bytes] | None:
    """Return the pieces of a file, each behind four bytes of its size; None where they are not so."""
    pieces, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + _SIZE_BYTES], "big")
        at += _SIZE_BYTES
        if not 0 < size <= min(_MAX_SIZE, len(data) - at):
            return None
        pieces.append(data[at : at + size])
        at += size
    return pieces

"""What only an HTTP request can have wrong, and which status each error has."""

from __future__ import annotations

import math
from typing import Final

import grpc
from llm_observe.v1.error_reason_pb2 import ErrorReason

from codec.otlp.limits import MAX_REQUEST_BYTES
from server.rpc.errors import ApiError


class BodyTooLarge(ApiError):
    """The body is too large."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_BATCH_TOO_LARGE
    message = f"the body must have at most {MAX_REQUEST_BYTES} bytes, packed and unpacked"


class BodyTooSlow(ApiError):
    """The body did not arrive in time."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = ErrorReason.ERROR_REASON_INVALID_FIELD
    message = "the body did not arrive in time"


class EncodingUnknown(ApiError):
    """The body is packed in a way that is not known."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_FIELD
    message = "Content-Encoding must be gzip, deflate or identity"


class MediaTypeUnknown(ApiError):
    """The body is of a type that is not known."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_FIELD
    message = "Content-Type must be application/x-protobuf or application/json"


class Undecodable(ApiError):
    """The body is not what its headers say."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = ErrorReason.ERROR_REASON_INVALID_FIELD
    message = "the body cannot be decoded as the expected export request"


_STATUS_OF_TYPE: Final = {BodyTooLarge: 413, BodyTooSlow: 408, EncodingUnknown: 415, MediaTypeUnknown: 415}
_STATUS_OF_CODE: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 503,
}


def http_status_of(error: ApiError) -> int:
    """Return the HTTP status of an error: exporters repeat 429 and 503, and give up on the others."""
    return _STATUS_OF_TYPE.get(type(error)) or _STATUS_OF_CODE.get(error.code, 500)


def headers_of(error: ApiError) -> dict[str, str]:
    """Return the headers that tell a client what to do about an error."""
    if error.retry_after_s is not None:
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    if error.code is grpc.StatusCode.UNAUTHENTICATED:
        return {"WWW-Authenticate": 'Bearer, Basic realm="LLM Observe"'}
    return {}

"""OTLP over HTTP: an application of Starlette. Requests and answers are protobuf or JSON."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import structlog
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError
from llm_observe.ids import uuid7
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from codec.otlp import decode_json, decode_protobuf
from server.otlp.bodies import BodyReader
from server.otlp.http_errors import MediaTypeUnknown, Undecodable, headers_of, http_status_of
from server.otlp.services import METRICS_DROPPED, count_metrics, logs_response, trace_response
from server.rpc.auth import roles_for
from server.rpc.errors import ApiError, DatabaseIsUnavailable, Internal, Unauthenticated
from storage.api_keys import prefix_of
from storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from google.protobuf.message import Message
    from starlette.requests import Request

    from codec.otlp.log_events import LogRecord
    from codec.otlp.span import Span
    from server.otlp.intake import OtlpIntake
    from server.rpc.auth import Authenticator

    Take: TypeAlias = Callable[["_Export"], Awaitable[Message]]

logger = structlog.get_logger("server.otlp.http")

_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"
_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
TRACE_PATHS: Final = ("/v1/traces", "/api/public/otel/v1/traces")
"""The second is where Langfuse's SDKs send theirs."""
_LOGS_PATH: Final = "/v1/logs"
_METRICS_PATH: Final = "/v1/metrics"
PATHS: Final = frozenset({*TRACE_PATHS, _LOGS_PATH, _METRICS_PATH})
"""All that is answered."""


class _Export(NamedTuple):
    """An export request."""

    body: bytes
    is_json: bool
    peer: str


class OtlpHttp:
    """Answers OTLP over HTTP."""

    def __init__(self, intake: OtlpIntake, authenticator: Authenticator) -> None:
        self._intake = intake
        self._authenticator = authenticator
        self._bodies = BodyReader()

    def app(self) -> Starlette:
        """Return the application."""
        routes = [
            *(Route(path, self._endpoint(self._take_spans), methods=["POST"]) for path in TRACE_PATHS),
            Route(_LOGS_PATH, self._endpoint(self._take_log_records), methods=["POST"]),
            Route(_METRICS_PATH, self._endpoint(self._drop_metrics), methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def _endpoint(self, take: Take) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            media_type = _media_type_of(request)
            try:
                message, status, headers = await self._answer(request, media_type, take), 200, {}
            except Exception as error:  # noqa: BLE001 - every error gets an answer
                failure = _to_api_error(error, request.url.path)
                message, status, headers = failure.to_status(), http_status_of(failure), headers_of(failure)
            return _response(message, media_type, status, headers)

        return answer

    async def _answer(self, request: Request, media_type: str, take: Take) -> Message:
        peer = f"http:{request.client.host}" if request.client else "http"
        # Before the body: who may not send need not be read.
        await self._authenticator.authorize(
            _metadata_of(request), roles_for(_SERVICE, "Export"), lambda: peer
        )
        if media_type not in {_PROTOBUF, _JSON}:
            raise MediaTypeUnknown
        with self._bodies.opened() as body:
            return await take(_Export(await body.read(request), media_type == _JSON, peer))

    async def _take_spans(self, export: _Export) -> Message:
        return trace_response(await self._intake.take_spans(_read_spans(export), export.peer))

    async def _take_log_records(self, export: _Export) -> Message:
        return logs_response(await self._intake.take_records(_read_records(export), export.peer))

    async def _drop_metrics(self, export: _Export) -> Message:
        if export.is_json:
            METRICS_DROPPED.record(decode_json.count_metrics(_parse(export.body)))
        else:
            request = ExportMetricsServiceRequest()
            _decode(request, export.body)
            METRICS_DROPPED.record(count_metrics(request))
        return ExportMetricsServiceResponse()


def _read_spans(export: _Export) -> Iterator[Span]:
    if export.is_json:
        return decode_json.read_spans(_parse(export.body))
    request = ExportTraceServiceRequest()
    _decode(request, export.body)
    return decode_protobuf.read_spans(request)


def _read_records(export: _Export) -> Iterator[LogRecord]:
    if export.is_json:
        return decode_json.read_records(_parse(export.body))
    request = ExportLogsServiceRequest()
    _decode(request, export.body)
    return decode_protobuf.read_records(request)


def _parse(body: bytes) -> decode_json.JsonObject:
    try:
        return decode_json.parse_request(body)
    except decode_json.UndecodableJson:
        raise Undecodable from None


def _decode(message: Message, body: bytes) -> None:
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise Undecodable from None


def _media_type_of(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _metadata_of(request: Request) -> list[tuple[str, str]]:
    """Return the key of a request as metadata: of Basic authentication it is the password.

    Raises:
        Unauthenticated: The header is not what it says.
    """
    header = request.headers.get("authorization", "")
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise Unauthenticated(
                "the header Authorization must be `Bearer <key>`, or Basic with the key as password"
            ) from None
        # Langfuse's SDKs cannot do without a key: one that is not ours is as good as none.
        key = password or user
        return [("authorization", f"Bearer {key}")] if prefix_of(key) else []
    return [("authorization", header)] if header else []


def _to_api_error(error: Exception, path: str) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, StorageUnavailable):
        return DatabaseIsUnavailable()
    request_id = uuid7()
    logger.error("unexpected error", exc_info=error, path=path, request_id=request_id)
    return Internal(request_id)


def _response(message: Message, media_type: str, status: int, headers: dict[str, str]) -> Response:
    """Return an answer in the client's own type; in protobuf to clients that name none that is known."""
    if media_type == _JSON:
        return Response(MessageToJson(message, indent=None), status, headers, _JSON)
    return Response(message.SerializeToString(), status, headers, _PROTOBUF)

"""What every call passes: the gate, and errors turned into rich statuses."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog
from grpc_status import rpc_status
from llm_observe._ids import uuid7

from server.access import FRESH_S, roles_for
from server.errors import (
    ApiError,
    DatabaseIsUnavailable,
    Internal,
    InvalidField,
    NotImplementedYet,
    QueryTookTooLong,
)
from storage.errors import QueryTimeout, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from server.access import Gate

log = structlog.get_logger("server")
_OURS: Final = "/llm_observe."


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Servicers raise; this answers. What is not an ApiError is a bug: the client sees its id only."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handlers of our own services, each once: this runs for every call."""
        method = handler_call_details.method
        if method not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None or not method.startswith(_OURS):
                return handler
            self._wrapped[method] = self._wrap(handler, method)
        return self._wrapped[method]

    def _wrap(self, handler: grpc.RpcMethodHandler[Any, Any], method: str) -> grpc.RpcMethodHandler[Any, Any]:
        codec = {
            "request_deserializer": _forgiving(handler.request_deserializer),
            "response_serializer": handler.response_serializer,
        }
        entry = _Entry(self._gate, method)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(_streaming(handler.unary_stream, entry), **codec)
        return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary, entry), **codec)


class _Unreadable:
    """Stands for a request that is no message of its kind."""


_UNREADABLE: Final = _Unreadable()


def _forgiving(read: Any) -> Callable[[bytes], Any]:
    """Let bytes that cannot be read through to where they get a rich answer; gRPC's own is INTERNAL."""

    def read_or_not(data: bytes) -> Any:
        try:
            return read(data)
        except Exception:  # noqa: BLE001 - whatever is wrong with them
            return _UNREADABLE

    return read_or_not


def _check_readable(request: Any) -> None:
    if request is _UNREADABLE:
        raise InvalidField([("request", "is no message of its kind, or has text that is not UTF-8")])


class _Entry:
    """What a call of one method passes before it is answered."""

    def __init__(self, gate: Gate, method: str) -> None:
        self.method = method
        self._gate = gate
        _, service, name = method.split("/")
        self._wanted = roles_for(service.rpartition(".")[2], name)

    async def enter(self, context: Any) -> None:
        """Let the caller in, or raise."""
        await self._gate.enter(context, self._wanted)


def _unary(call: Any, entry: _Entry) -> Any:
    async def run(request: Any, context: Any) -> Any:
        try:
            await entry.enter(context)
            _check_readable(request)
            return await call(request, context)
        except Exception as error:  # noqa: BLE001 - the process loop: every fault gets an answer
            await _answer(error, context, entry.method)

    return run


def _streaming(call: Any, entry: _Entry) -> Any:
    async def run(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            await entry.enter(context)
            _check_readable(request)
            checked = time.monotonic()
            async for response in call(request, context):
                # A stream may outlive its key by no more than this.
                if time.monotonic() - checked > FRESH_S:
                    await entry.enter(context)
                    checked = time.monotonic()
                yield response
        except Exception as error:  # noqa: BLE001 - as above
            await _answer(error, context, entry.method)

    return run


async def _answer(error: Exception, context: Any, method: str) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    await context.abort_with_status(rpc_status.to_status(_to_api_error(error, method).to_status()))


def _to_api_error(error: Exception, method: str) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, QueryTimeout):
        return QueryTookTooLong()
    if isinstance(error, StorageUnavailable | asyncio.TimeoutError):
        return DatabaseIsUnavailable()
    if isinstance(error, NotImplementedError):
        return NotImplementedYet(method)
    request_id = uuid7()
    log.error("unexpected error", exc_info=error, method=method, request_id=request_id)
    return Internal(request_id)

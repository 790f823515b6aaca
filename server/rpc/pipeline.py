"""The door that every call passes: the gate, and errors turned into rich statuses."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog
from grpc_status import rpc_status
from llm_observe._ids import uuid7

from server.rpc.auth import KEY_CACHE_TTL_S, roles_for
from server.rpc.errors import (
    ApiError,
    DatabaseIsUnavailable,
    Internal,
    InvalidField,
    NotImplementedYet,
    QueryTookTooLong,
)
from storage.errors import QueryTimeout, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from server.rpc.auth import Authenticator

logger = structlog.get_logger("server")


class RpcPipeline:
    """Where our services are registered: every method is wrapped, once. What a servicer raises, this answers.

    Takes the place of grpc.aio.Server in the generated add_..._to_server() functions. An interceptor would do
    the same for each call anew, at a tenth of the time that a call takes.

    Args:
        server: Serves what is registered.
        gate: Lets callers in.
        readers: By method, such as ``/llm_observe.v1.IngestService/IngestLogs``: what reads its requests in
            place of the generated code.
    """

    def __init__(
        self, server: grpc.aio.Server, gate: Authenticator, readers: Mapping[str, Callable[[bytes], Any]]
    ) -> None:
        self._server = server
        self._gate = gate
        self._readers = readers

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Do nothing: generated code registers every method a second time, by name."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Register a service's methods."""
        wrapped = {name: self._wrap(handler, f"/{service}/{name}") for name, handler in handlers.items()}
        generic = grpc.method_handlers_generic_handler(service, wrapped)
        self._server.add_generic_rpc_handlers((generic,))
        self._server.add_registered_method_handlers(service, wrapped)

    def _wrap(self, handler: grpc.RpcMethodHandler[Any, Any], method: str) -> grpc.RpcMethodHandler[Any, Any]:
        codec = {
            "request_deserializer": _forgiving(self._readers.get(method, handler.request_deserializer)),
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

    def __init__(self, gate: Authenticator, method: str) -> None:
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
    # A coroutine that writes, not a generator that gRPC iterates: gRPC leaves a generator behind where it is
    # suspended when the call is cancelled. Here it is closed in the call's own task and context.
    async def run(request: Any, context: Any) -> None:
        try:
            await entry.enter(context)
            _check_readable(request)
            checked = time.monotonic()
            async with aclosing(call(request, context)) as responses:
                async for response in responses:
                    # A stream may outlive its key by no more than this.
                    if time.monotonic() - checked > KEY_CACHE_TTL_S:
                        await entry.enter(context)
                        checked = time.monotonic()
                    await _write(context, response)
        except Exception as error:  # noqa: BLE001 - as above
            await _answer(error, context, entry.method)

    return run


async def _write(context: Any, response: Any) -> None:
    """Send a response.

    Raises:
        asyncio.CancelledError: The client has left; it depends on timing whether gRPC says so itself.
    """
    try:
        await context.write(response)
    except grpc.aio.InternalError:
        raise asyncio.CancelledError from None


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
    logger.error("unexpected error", exc_info=error, method=method, request_id=request_id)
    return Internal(request_id)

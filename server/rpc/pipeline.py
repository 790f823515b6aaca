"""Wraps every RPC: authenticates the caller and turns exceptions into google.rpc.Status.

It does the work of interceptors. Those wrap each call anew, which costs a tenth of the time of a call; here
every method is wrapped once, when its service is added.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
import structlog
from google.protobuf.message_factory import GetMessageClass
from grpc_status import rpc_status
from llm_observe.ids import uuid7

from server.rpc.auth import KEY_CACHE_TTL_S, caller, roles_for
from server.rpc.context import peer_address
from server.rpc.errors import (
    ApiError,
    DatabaseIsUnavailable,
    Internal,
    InvalidField,
    NotImplementedYet,
    QueryTookTooLong,
)
from server.rpc.observation import observed
from server.rpc.running_calls import ClientLeft, RunningCalls
from storage.errors import QueryTimeout, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
    from google.protobuf.message import Message

    from server.rpc.auth import Authenticator
    from server.rpc.context import Context
    from server.rpc.streams import StreamLimits

    # A request is what a decoder makes of it: a message, or for IngestLogs a DecodedBatch.
    Decoder: TypeAlias = Callable[[bytes], Any]
    UnaryCall: TypeAlias = Callable[[Any, Context], Awaitable[Message]]
    StreamingCall: TypeAlias = Callable[[Any, Context], AsyncIterator[Message]]
    RpcHandler: TypeAlias = grpc.RpcMethodHandler[Any, Any]

logger = structlog.get_logger("server")


class RpcPipeline:
    """Adds services to a gRPC server, every method wrapped.

    Args:
        server: Serves what is added.
        authenticator: Decides who may call.
        streams: Bounds the open streams.
    """

    def __init__(self, server: grpc.aio.Server, authenticator: Authenticator, streams: StreamLimits) -> None:
        self._server = server
        self._authenticator = authenticator
        self._streams = streams
        self.calls = RunningCalls()
        self.names: list[str] = []
        """Full names of the services that were added."""

    def add(
        self, servicer: object, proto: FileDescriptor, decoders: Mapping[str, Decoder] | None = None
    ) -> None:
        """Serve every method of a proto's service; those that the servicer lacks answer NOT_IMPLEMENTED.

        Args:
            servicer: Has a method for each RPC, under its name: a coroutine function, or for a stream of
                responses an asynchronous generator function.
            proto: Defines one service.
            decoders: By method: what decodes its requests in place of the message's class.

        Raises:
            KeyError: The service has no rule in server.rpc.auth.
            ValueError: The proto has several services, or a method takes a stream of requests.
        """
        (service,) = proto.services_by_name.values()
        handlers = {
            method.name: self._handler(servicer, method, (decoders or {}).get(method.name))
            for method in service.methods
        }
        self._server.add_registered_method_handlers(service.full_name, handlers)
        self.names.append(service.full_name)

    def _handler(self, servicer: object, method: MethodDescriptor, decode: Decoder | None) -> RpcHandler:
        if method.client_streaming:
            raise ValueError(f"{method.full_name} streams requests")
        call = getattr(servicer, method.name, None)
        wrapped = _Method(self._authenticator, self._streams, self.calls, method, call)
        request_type, response_type = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        make = (
            grpc.unary_stream_rpc_method_handler
            if method.server_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(
            observed(wrapped.stream if method.server_streaming else wrapped.answer, method),
            request_deserializer=_lenient(decode or request_type.FromString),
            response_serializer=response_type.SerializeToString,
        )


class _Undecodable:
    """Stands for a request that cannot be decoded."""


_UNDECODABLE: Final = _Undecodable()


def _lenient(decode: Decoder) -> Decoder:
    """Let bytes that cannot be decoded through to where they get a rich answer; gRPC's own is INTERNAL."""

    def decode_or_mark(data: bytes) -> Any:
        try:
            return decode(data)
        except Exception:  # noqa: BLE001 - whatever is wrong with them
            return _UNDECODABLE

    return decode_or_mark


class _Method:
    """One RPC method, wrapped."""

    def __init__(
        self,
        authenticator: Authenticator,
        streams: StreamLimits,
        calls: RunningCalls,
        method: MethodDescriptor,
        call: UnaryCall | StreamingCall | None,
    ) -> None:
        self._authenticator = authenticator
        self._streams = streams
        self._calls = calls
        self._name = f"/{method.containing_service.full_name}/{method.name}"
        self._allowed_roles = roles_for(method.containing_service.full_name, method.name)
        self._call: Any = call

    async def answer(self, request: Any, context: Context) -> Any:
        """Answer a call with one response."""
        with self._calls.noted():
            try:
                await self._admit(request, context)
                return await self._call(request, context)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - every end has a status
                await self._abort(error, context)

    async def stream(self, request: Any, context: Context) -> None:
        """Answer a call with a stream of responses.

        Writes them itself: gRPC leaves a generator that it iterates suspended when the call is cancelled.
        Here it is closed in the call's own task and context.
        """
        with self._calls.noted():
            try:
                await self._admit(request, context)
                with self._streams.opened(self._name, caller().api_key_id or peer_address(context)):
                    await self._send(request, context)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as above
                await self._abort(error, context)

    async def _send(self, request: Any, context: Context) -> None:
        checked_at = time.monotonic()
        async with aclosing(self._call(request, context)) as responses:
            async for response in responses:
                # A stream may outlive its key by no more than this.
                if time.monotonic() - checked_at > KEY_CACHE_TTL_S:
                    await self._authorize(context)
                    checked_at = time.monotonic()
                await _write(context, response)

    async def _admit(self, request: Any, context: Context) -> None:
        await self._authorize(context)
        if self._call is None:
            raise NotImplementedError
        if request is _UNDECODABLE:
            raise InvalidField([("request", "cannot be decoded as the expected message")])

    async def _authorize(self, context: Context) -> None:
        await self._authenticator.authorize(
            context.invocation_metadata() or (), self._allowed_roles, partial(peer_address, context)
        )

    async def _abort(self, error: BaseException, context: Context) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, asyncio.CancelledError):
            error = self._calls.explain(error)
        status = _to_api_error(error, self._name).to_status()
        await context.abort_with_status(rpc_status.to_status(status))


async def _write(context: Context, response: Message) -> None:
    """Send a response.

    Raises:
        ClientLeft: It depends on timing whether gRPC says so itself.
    """
    try:
        await context.write(response)
    except grpc.aio.InternalError:
        raise ClientLeft from None


def _to_api_error(error: BaseException, method: str) -> ApiError:
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

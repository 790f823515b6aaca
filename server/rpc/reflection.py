"""Reflection for callers with a key, or for anybody where no key is required."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from grpc_status import rpc_status

from server.rpc.context import peer_address
from server.rpc.errors import ApiError
from server.rpc.streams import counted
from storage.api_keys import ROLES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    import grpc
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

    from server.rpc.auth import Authenticator
    from server.rpc.context import Context
    from server.rpc.streams import StreamLimits

_POOL: Final = descriptor_pool.Default()
_ANY_ROLE: Final = frozenset(ROLES)


class ReflectionService:
    """The stock service, behind the same keys and limits as all others."""

    def __init__(self, names: Iterable[str], authenticator: Authenticator, streams: StreamLimits) -> None:
        self._stock = reflection.aio.ReflectionServicer(names, cast("DescriptorPool", _PoolWithMethods()))
        self._authenticator = authenticator
        self._streams = streams

    async def ServerReflectionInfo(
        self, requests: AsyncIterator[ServerReflectionRequest], context: Context
    ) -> None:
        """Answer each request of the stream.

        Raises:
            AbortError: The caller has no valid key, and one is required; or too many streams are open.
        """
        async with counted(self._streams, reflection.SERVICE_NAME, context):
            responses: AsyncIterator[ServerReflectionResponse] = self._stock.ServerReflectionInfo(
                self._authorized(requests, context), context
            )  # type: ignore[assignment] # the stubs take an async generator for a coroutine
            async for response in responses:
                await context.write(response)

    async def _authorized(
        self, requests: AsyncIterator[ServerReflectionRequest], context: Context
    ) -> AsyncIterator[ServerReflectionRequest]:
        """Check the key at each request, not before the first: a client that still writes would miss why."""
        async for request in requests:
            try:
                await self._authenticator.authorize(
                    context.invocation_metadata() or (), _ANY_ROLE, partial(peer_address, context)
                )
            except ApiError as error:
                await context.abort_with_status(rpc_status.to_status(error.to_status()))
            yield request


def add_reflection(
    server: grpc.aio.Server, names: Iterable[str], authenticator: Authenticator, streams: StreamLimits
) -> None:
    """Serve reflection of the named services, and of itself."""
    service = ReflectionService((*names, reflection.SERVICE_NAME), authenticator, streams)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(  # type: ignore[no-untyped-call] # generated
        service, server
    )


class _PoolWithMethods:
    """The default pool, which by itself finds no file by the name of a method."""

    def __getattr__(self, name: str) -> object:
        return getattr(_POOL, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:
        """Return the file of a symbol.

        Raises:
            KeyError: There is none.
        """
        try:
            return _POOL.FindFileContainingSymbol(symbol)
        except KeyError:
            return _POOL.FindMethodByName(symbol).containing_service.file

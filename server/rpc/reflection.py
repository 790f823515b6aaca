"""Reflection for callers with a key, or for anybody where no key is required."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from grpc_status import rpc_status

from server.rpc.errors import ApiError
from storage.api_keys import ROLES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    import grpc
    from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

    from server.rpc.auth import Authenticator
    from server.rpc.context import Context

_ANY_ROLE: Final = frozenset(ROLES)


class ReflectionService:
    """The stock service, behind the same keys as all others."""

    def __init__(self, names: Iterable[str], authenticator: Authenticator) -> None:
        self._stock = reflection.aio.ReflectionServicer(names)
        self._authenticator = authenticator

    async def ServerReflectionInfo(
        self, requests: AsyncIterator[ServerReflectionRequest], context: Context
    ) -> AsyncIterator[ServerReflectionResponse]:
        """Answer each request of the stream.

        Raises:
            AbortError: The caller has no valid key, and one is required.
        """
        responses: AsyncIterator[ServerReflectionResponse] = self._stock.ServerReflectionInfo(
            self._authorized(requests, context), context
        )  # type: ignore[assignment] # the stubs take an async generator for a coroutine
        async for response in responses:
            yield response

    async def _authorized(
        self, requests: AsyncIterator[ServerReflectionRequest], context: Context
    ) -> AsyncIterator[ServerReflectionRequest]:
        """Check the key at each request, not before the first: a client that still writes would miss why."""
        async for request in requests:
            try:
                await self._authenticator.authorize(context.invocation_metadata() or (), _ANY_ROLE)
            except ApiError as error:
                await context.abort_with_status(rpc_status.to_status(error.to_status()))
            yield request


def add_reflection(server: grpc.aio.Server, names: Iterable[str], authenticator: Authenticator) -> None:
    """Serve reflection of the named services, and of itself."""
    service = ReflectionService((*names, reflection.SERVICE_NAME), authenticator)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(  # type: ignore[no-untyped-call] # generated
        service, server
    )

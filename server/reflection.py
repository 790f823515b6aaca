"""Reflection, by which grpcurl and other tools learn the protos from the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool

_POOL: Final = descriptor_pool.Default()


def add_reflection(server: grpc.aio.Server, service_names: Iterable[str]) -> None:
    """Let callers list and describe services by their full names, and reflection itself."""
    pool = cast("DescriptorPool", _PoolWithMethods())
    reflection.enable_server_reflection((*service_names, reflection.SERVICE_NAME), server, pool)


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

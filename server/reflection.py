"""Reflection, by which grpcurl and other tools learn the protos from the server."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2_grpc import add_ServerReflectionServicer_to_server

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc
    from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse


def add_reflection(server: grpc.aio.Server, service_names: Iterable[str]) -> None:
    """Let callers list and describe services by their full names, and this one."""
    names = (*service_names, reflection.SERVICE_NAME)
    add_ServerReflectionServicer_to_server(_ReflectionServicer(names), server)


class _ReflectionServicer(reflection.aio.ReflectionServicer):
    def _file_containing_symbol(
        self, request: ServerReflectionRequest, fully_qualified_name: str
    ) -> ServerReflectionResponse:
        """Find methods by their services, since protobuf's pool knows no file by the name of a method."""
        with suppress(KeyError):
            method = descriptor_pool.Default().FindMethodByName(fully_qualified_name)
            fully_qualified_name = method.containing_service.full_name
        return super()._file_containing_symbol(request, fully_qualified_name)

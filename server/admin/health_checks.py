"""grpc.health.v1, whose streams are bounded as all others are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc_health.v1 import health

from server.rpc.streams import counted

if TYPE_CHECKING:
    from grpc_health.v1.health_pb2 import HealthCheckRequest

    from server.rpc.context import Context
    from server.rpc.streams import StreamLimits


class HealthChecks(health.aio.HealthServicer):
    """The stock service; anybody may call it."""

    def __init__(self, streams: StreamLimits) -> None:
        super().__init__()
        self._streams = streams

    async def Watch(self, request: HealthCheckRequest, context: Context) -> None:
        """Send the state of a service, and each change of it.

        Raises:
            AbortError: Too many streams are open.
        """
        async with counted(self._streams, health.SERVICE_NAME, context):
            await super().Watch(request, context)

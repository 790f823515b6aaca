"""The bare baseline of ingest: a grpc.aio server that answers the same bytes and does nothing else."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, IngestLogsResponse
from llm_observe.v1.ingest_service_pb2_grpc import (
    IngestServiceServicer,
    add_IngestServiceServicer_to_server,
)


class Echo(IngestServiceServicer):
    """Counts, and answers."""

    async def IngestLogs(self, request: IngestLogsRequest, context: Any) -> IngestLogsResponse:  # noqa: N802, ARG002 - gRPC's signature
        return IngestLogsResponse(accepted_log_count=len(request.logs))


async def main(port: int) -> None:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 8 * 1024 * 1024)])
    add_IngestServiceServicer_to_server(Echo(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

"""The bare baselines: a grpc.aio server that answers the same bytes or streams the same chunks, no more."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import grpc
from llm_observe.v1.chat_service_pb2 import ChatDelta, ChatFinished, ChatStarted, StreamChatResponse
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceServicer, add_ChatServiceServicer_to_server
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, IngestLogsResponse
from llm_observe.v1.ingest_service_pb2_grpc import (
    IngestServiceServicer,
    add_IngestServiceServicer_to_server,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_ID = "0198c0de-0000-7000-8000-000000000000"


class Echo(IngestServiceServicer):
    """Counts, and answers."""

    async def IngestLogs(self, request: IngestLogsRequest, context: Any) -> IngestLogsResponse:  # noqa: N802, ARG002 - gRPC's signature
        return IngestLogsResponse(accepted_log_count=len(request.logs))


class Tokens(ChatServiceServicer):
    """Streams 200 tokens."""

    async def StreamChat(self, request: Any, context: Any) -> AsyncIterator[StreamChatResponse]:  # noqa: N802, ARG002 - as above
        yield StreamChatResponse(started=ChatStarted(conversation_id=_ID, user_message_id=_ID, log_id=_ID))
        for _ in range(200):
            yield StreamChatResponse(delta=ChatDelta(text="numbers "))
        yield StreamChatResponse(finished=ChatFinished(finish_reason="stop"))


async def main(port: int) -> None:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 8 * 1024 * 1024)])
    add_IngestServiceServicer_to_server(Echo(), server)  # type: ignore[abstract] # spans are not sent
    add_ChatServiceServicer_to_server(Tokens(), server)  # type: ignore[abstract] # the rest is not called
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

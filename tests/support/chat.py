"""Chat turns, the events of their streams, and their logs."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import llm_observe
from llm_observe.v1.analytics_service_pb2 import GetLogRequest
from llm_observe.v1.chat_service_pb2 import ChatTurn, StreamChatRequest, StreamChatResponse
from llm_observe.v1.log_pb2 import Log

VENDORS = ("openai", "anthropic", "gemini")


def make_turn(**fields: Any) -> ChatTurn:
    """Return a valid turn for the mock of OpenAI."""
    return ChatTurn(**{"session_id": "s1", "provider": "openai", "content": "hello there", **fields})


async def read_stream(chat: Any, turn: ChatTurn) -> list[StreamChatResponse]:
    """Return every event of a turn's stream."""
    return [event async for event in chat.StreamChat(StreamChatRequest(turn=turn))]


async def fetch_log(analytics: Any, log_id: str) -> Log | None:
    """Flush the logs of this process, and return one when the worker has stored it."""
    await asyncio.to_thread(llm_observe.flush, 2)
    try:
        log: Log = (await analytics.GetLog(GetLogRequest(log_id=log_id))).log
    except grpc.aio.AioRpcError:
        return None
    return log

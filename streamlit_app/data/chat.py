"""Calls ChatService."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub

from streamlit_app.data.connection import channel, server_errors, settings

if TYPE_CHECKING:
    from collections.abc import Generator


def list_models() -> list[pb.ProviderModels]:
    """Return the providers and their models. Raises ServerError if the call fails."""
    with server_errors():
        answer = ChatServiceStub(channel()).ListModels(pb.ListModelsRequest(), timeout=settings().timeout_s)
    return list(answer.providers)


def stream_chat(turn: pb.ChatTurn) -> Generator[pb.StreamChatResponse]:
    """Send a turn and stream the answer; closing the iterator cancels the call, and the provider's with it.

    Raises:
        ServerError: The call failed.
    """
    with server_errors():
        call = ChatServiceStub(channel()).StreamChat(
            pb.StreamChatRequest(turn=turn), timeout=settings().chat_deadline_s
        )
        try:
            yield from call
        finally:
            call.cancel()

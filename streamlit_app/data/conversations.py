"""Calls ConversationService, and reads a conversation's logs. All raise ServerError if the call fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe.v1 import analytics_service_pb2 as analytics
from llm_observe.v1 import conversation_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.conversation_pb2 import Conversation
from llm_observe.v1.conversation_service_pb2_grpc import ConversationServiceStub
from llm_observe.v1.filter_pb2 import LogFilter

from streamlit_app import clock
from streamlit_app.data.analytics import LONGEST_SEARCH_S
from streamlit_app.data.connection import channel, server_errors, settings
from streamlit_app.state.window import MAX_LENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.conversation_pb2 import ConversationState, Message
    from llm_observe.v1.log_pb2 import Log

MAX_MESSAGES: Final = 400
"""How many of the newest messages a page shows; an export has all."""
_EXPORT_PAGE: Final = 1000
_MAX_CALLS: Final = 500


def list_conversations(
    *,
    page: int = 1,
    page_size: int = 20,
    states: Sequence[ConversationState.ValueType] = (),
    provider: str = "",
    text: str = "",
) -> pb.ListConversationsResponse:
    """Return a page of conversations, newest activity first."""
    request = pb.ListConversationsRequest(
        page=page, page_size=page_size, states=states, provider=provider, text=text
    )
    with server_errors():
        return _stub().ListConversations(request, timeout=settings().timeout_s)


def get_conversation(conversation_id: str) -> pb.GetConversationResponse:
    """Return a conversation and its newest messages, oldest first."""
    request = pb.GetConversationRequest(conversation_id=conversation_id, message_limit=MAX_MESSAGES)
    with server_errors():
        return _stub().GetConversation(request, timeout=settings().timeout_s)


def list_calls(conversation_id: str) -> list[Log]:
    """Return a conversation's logs of the last year, newest first.

    They tell why calls failed, and of tokens that were cached. They appear a moment after the messages.
    """
    request = analytics.ListLogsRequest(
        filter=LogFilter(conversation_id=conversation_id), page_size=_MAX_CALLS
    )
    request.search_time.FromSeconds(LONGEST_SEARCH_S)
    now = clock.now()
    request.time_range.start_time.FromDatetime(now - MAX_LENGTH)
    request.time_range.end_time.FromDatetime(now)
    with server_errors():
        answer = AnalyticsServiceStub(channel()).ListLogs(request, timeout=settings().timeout_s)
    return list(answer.logs)


def list_all_messages(conversation_id: str) -> list[Message]:
    """Return every message of a conversation, oldest first."""
    request = pb.ListMessagesRequest(conversation_id=conversation_id, page_size=_EXPORT_PAGE)
    messages: list[Message] = []
    while True:
        with server_errors():
            answer = _stub().ListMessages(request, timeout=settings().timeout_s)
        messages += answer.messages
        if not answer.next_page_token:
            return messages
        request.page_token = answer.next_page_token


def rename(conversation_id: str, title: str) -> None:
    """Change the title."""
    changed = Conversation(conversation_id=conversation_id, title=title)
    with server_errors():
        _stub().UpdateConversation(
            pb.UpdateConversationRequest(conversation=changed), timeout=settings().timeout_s
        )


def complete(conversation_id: str) -> None:
    """Mark a conversation as completed."""
    with server_errors():
        _stub().CompleteConversation(
            pb.CompleteConversationRequest(conversation_id=conversation_id), timeout=settings().timeout_s
        )


def cancel(conversation_id: str) -> None:
    """Let a conversation accept no more messages."""
    with server_errors():
        _stub().CancelConversation(
            pb.CancelConversationRequest(conversation_id=conversation_id), timeout=settings().timeout_s
        )


def resume(conversation_id: str) -> None:
    """Let a conversation accept messages again."""
    with server_errors():
        _stub().ResumeConversation(
            pb.ResumeConversationRequest(conversation_id=conversation_id), timeout=settings().timeout_s
        )


def delete(conversation_id: str) -> None:
    """Delete a conversation with its messages; its logs stay."""
    with server_errors():
        _stub().DeleteConversation(
            pb.DeleteConversationRequest(conversation_id=conversation_id), timeout=settings().timeout_s
        )


def _stub() -> ConversationServiceStub:
    return ConversationServiceStub(channel())

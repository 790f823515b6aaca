"""ConversationService: conversations, their states and their messages."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from llm_observe.ids import uuid7
from llm_observe.limits import MAX_TEXT_CHARS, MAX_TITLE_CHARS
from llm_observe.v1 import conversation_service_pb2 as pb
from llm_observe.v1.conversation_pb2 import ConversationState
from llm_observe.v1.conversation_service_pb2_grpc import ConversationServiceServicer

from server.chat.convert import to_conversation, to_message
from server.rpc.auth import caller
from server.rpc.checks import check_text, parse_limit, parse_uuid, parse_words
from server.rpc.errors import ConversationClosed, ConversationNotFound, InvalidField
from server.rpc.idempotency import fingerprint_of
from server.rpc.paging import Page, read_cursor
from storage import conversations

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor

    from server.rpc.context import Context
    from server.rpc.idempotency import IdempotencyKeys
    from storage.conversations import Conversation
    from storage.pool import Database

_PAGE_SIZE: Final = 20
_MAX_PAGE_SIZE: Final = 100
_MESSAGES: Final = 100
_MAX_MESSAGES: Final = 1000
_MAX_SEARCH_CHARS: Final = 200


class ConversationService(ConversationServiceServicer):
    """See conversation_service.proto."""

    def __init__(self, database: Database, redactor: Redactor, keys: IdempotencyKeys) -> None:
        self._database = database
        self._redactor = redactor
        self._keys = keys

    async def CreateConversation(
        self, request: pb.CreateConversationRequest, context: Context
    ) -> pb.CreateConversationResponse:
        check_text("session_id", request.session_id, min_chars=1, max_chars=MAX_TEXT_CHARS["session_id"])
        check_text("title", request.title, max_chars=MAX_TITLE_CHARS)
        check_text("user_id", request.user_id, max_chars=MAX_TEXT_CHARS["user_id"])
        conversation_id = UUID(uuid7())
        if request.request_id:
            request_id = parse_uuid("request_id", request.request_id)
            answer = {"conversation_id": str(conversation_id)}
            earlier = await self._keys.claim(request_id, fingerprint_of(request, "request_id"), answer)
            if earlier is not None:
                conversation_id = UUID(earlier.answer["conversation_id"])
        conversation = await conversations.create_conversation(
            self._database,
            conversation_id=conversation_id,
            project_id=caller().project_id,
            session_id=self._redactor.preview(request.session_id, MAX_TEXT_CHARS["session_id"]),
            user_id=self._redactor.preview(request.user_id, MAX_TEXT_CHARS["user_id"]),
            title=self._redactor.preview(request.title, MAX_TITLE_CHARS),
        )
        return pb.CreateConversationResponse(conversation=to_conversation(conversation))

    async def GetConversation(
        self, request: pb.GetConversationRequest, context: Context
    ) -> pb.GetConversationResponse:
        limit = parse_limit("message_limit", request.message_limit, default=_MESSAGES, maximum=_MAX_MESSAGES)
        conversation = await self._get(request.conversation_id)
        messages = await conversations.list_messages(
            self._database,
            project_id=caller().project_id,
            conversation_id=conversation.conversation_id,
            row_limit=limit,
        )
        return pb.GetConversationResponse(
            conversation=to_conversation(conversation), messages=[to_message(message) for message in messages]
        )

    async def ListConversations(
        self, request: pb.ListConversationsRequest, context: Context
    ) -> pb.ListConversationsResponse:
        if request.page < 0:
            raise InvalidField([("page", "must not be negative")])
        page = request.page or 1
        size = parse_limit("page_size", request.page_size, default=_PAGE_SIZE, maximum=_MAX_PAGE_SIZE)
        check_text("text", request.text, max_chars=_MAX_SEARCH_CHARS)
        for field in ("provider", "session_id", "user_id"):
            check_text(field, getattr(request, field), max_chars=MAX_TEXT_CHARS[field])
        result = await conversations.list_conversations(
            self._database,
            project_id=caller().project_id,
            states=parse_words("states", request.states, ConversationState) or None,
            provider=request.provider or None,
            session_id=request.session_id or None,
            user_id=request.user_id or None,
            text=request.text or None,
            row_limit=size,
            row_offset=(page - 1) * size,
        )
        pages = -(-result.total_count // size)
        return pb.ListConversationsResponse(
            conversations=[to_conversation(conversation) for conversation in result.conversations],
            total_count=result.total_count,
            total_pages=pages,
            has_next=page < pages,
            has_previous=page > 1 and result.total_count > 0,
            page=page,
            page_size=size,
        )

    async def UpdateConversation(
        self, request: pb.UpdateConversationRequest, context: Context
    ) -> pb.UpdateConversationResponse:
        paths = list(request.update_mask.paths) or ["title"]
        if paths != ["title"]:
            raise InvalidField([("update_mask", "may only contain title")])
        title = request.conversation.title
        check_text("conversation.title", title, min_chars=1, max_chars=MAX_TITLE_CHARS)
        conversation_id = parse_uuid("conversation.conversation_id", request.conversation.conversation_id)
        conversation = await conversations.set_title(
            self._database,
            project_id=caller().project_id,
            conversation_id=conversation_id,
            title=self._redactor.preview(title, MAX_TITLE_CHARS),
        )
        if conversation is None:
            raise ConversationNotFound(str(conversation_id))
        return pb.UpdateConversationResponse(conversation=to_conversation(conversation))

    async def CancelConversation(
        self, request: pb.CancelConversationRequest, context: Context
    ) -> pb.CancelConversationResponse:
        conversation = await self._set_state(request.conversation_id, "cancelled", ("active", "cancelled"))
        return pb.CancelConversationResponse(conversation=to_conversation(conversation))

    async def ResumeConversation(
        self, request: pb.ResumeConversationRequest, context: Context
    ) -> pb.ResumeConversationResponse:
        conversation = await self._set_state(
            request.conversation_id, "active", ("active", "cancelled", "completed")
        )
        return pb.ResumeConversationResponse(conversation=to_conversation(conversation))

    async def CompleteConversation(
        self, request: pb.CompleteConversationRequest, context: Context
    ) -> pb.CompleteConversationResponse:
        conversation = await self._set_state(request.conversation_id, "completed", ("active", "completed"))
        return pb.CompleteConversationResponse(conversation=to_conversation(conversation))

    async def DeleteConversation(
        self, request: pb.DeleteConversationRequest, context: Context
    ) -> pb.DeleteConversationResponse:
        conversation_id = parse_uuid("conversation_id", request.conversation_id)
        deleted = await conversations.delete_conversation(
            self._database, project_id=caller().project_id, conversation_id=conversation_id
        )
        if not deleted:
            raise ConversationNotFound(str(conversation_id))
        return pb.DeleteConversationResponse()

    async def ListMessages(
        self, request: pb.ListMessagesRequest, context: Context
    ) -> pb.ListMessagesResponse:
        size = parse_limit("page_size", request.page_size, default=_MESSAGES, maximum=_MAX_MESSAGES)
        conversation = await self._get(request.conversation_id)
        rows = await conversations.page_messages(
            self._database,
            project_id=caller().project_id,
            conversation_id=conversation.conversation_id,
            after=read_cursor(request, request.page_token, datetime, UUID),
            row_limit=size + 1,
        )
        page = Page.of(rows, size, request, lambda message: (message.create_time, message.message_id))
        return pb.ListMessagesResponse(
            messages=[to_message(message) for message in page.rows], next_page_token=page.next_page_token
        )

    async def _get(self, conversation_id: str) -> Conversation:
        conversation = await conversations.get_conversation(
            self._database,
            project_id=caller().project_id,
            conversation_id=parse_uuid("conversation_id", conversation_id),
        )
        if conversation is None:
            raise ConversationNotFound(conversation_id)
        return conversation

    async def _set_state(self, conversation_id: str, state: str, allowed: tuple[str, ...]) -> Conversation:
        conversation = await conversations.set_state(
            self._database,
            project_id=caller().project_id,
            conversation_id=parse_uuid("conversation_id", conversation_id),
            state=state,
            allowed_states=allowed,
        )
        if conversation is None:
            present = await self._get(conversation_id)
            raise ConversationClosed(conversation_id, present.state)
        return conversation

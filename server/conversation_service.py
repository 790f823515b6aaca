"""ConversationService: create and get; the rest comes with the conversations issue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from llm_observe._ids import uuid7
from llm_observe.v1 import conversation_service_pb2 as pb
from llm_observe.v1.conversation_service_pb2_grpc import ConversationServiceServicer

from server.convert import to_conversation, to_message
from server.errors import ConversationNotFound
from server.request_rules import check_text, parse_limit, parse_uuid
from storage import conversations

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor

    from storage.pool import Database


class ConversationService(ConversationServiceServicer):
    """See conversation_service.proto."""

    def __init__(self, database: Database, redactor: Redactor, project_id: str) -> None:
        self._database = database
        self._redactor = redactor
        self._project_id = project_id

    async def CreateConversation(
        self,
        request: pb.CreateConversationRequest,
        context: Any,
    ) -> pb.CreateConversationResponse:
        check_text("session_id", request.session_id, least=1, most=200)
        check_text("title", request.title, most=200)
        check_text("user_id", request.user_id, most=200)
        row = await conversations.create_conversation(
            self._database,
            conversation_id=UUID(uuid7()),
            project_id=self._project_id,
            session_id=self._redactor.preview(request.session_id, 200),
            user_id=self._redactor.preview(request.user_id, 200),
            title=self._redactor.preview(request.title, 200),
        )
        return pb.CreateConversationResponse(conversation=to_conversation(row))

    async def GetConversation(
        self, request: pb.GetConversationRequest, context: Any
    ) -> pb.GetConversationResponse:
        conversation_id = parse_uuid("conversation_id", request.conversation_id)
        limit = parse_limit("message_limit", request.message_limit, default=100, most=1000)
        row = await conversations.get_conversation(
            self._database, project_id=self._project_id, conversation_id=conversation_id
        )
        if row is None:
            raise ConversationNotFound(request.conversation_id)
        messages = await conversations.list_messages(
            self._database, project_id=self._project_id, conversation_id=conversation_id, row_limit=limit
        )
        return pb.GetConversationResponse(
            conversation=to_conversation(row), messages=[to_message(message) for message in messages]
        )

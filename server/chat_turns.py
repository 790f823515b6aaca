"""One chat turn: the conversation it belongs to, the history it sends, and the messages it stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from llm_observe._ids import uuid7

from server.errors import ConversationClosed, ConversationNotFound
from storage.conversations import (
    NewMessage,
    add_message,
    create_conversation,
    get_conversation,
    list_messages,
)

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor
    from llm_observe.v1.chat_service_pb2 import ChatTurn

    from storage.pool import Database

_TITLE_CHARS: Final = 50
_HISTORY_MESSAGES: Final = 200
_STORED_CHARS: Final = 200_000


class TurnStore:
    """Conversations and messages in Postgres. What is stored is redacted; what a model is sent is not."""

    def __init__(self, database: Database, redactor: Redactor, project_id: str) -> None:
        self._database = database
        self._redactor = redactor
        self._project_id = project_id

    async def open(self, turn: ChatTurn) -> UUID:
        """Return the turn's conversation, made when the turn names none.

        Raises:
            ConversationNotFound: It names one that is not there.
            ConversationClosed: It is cancelled or completed.
        """
        if not turn.conversation_id:
            return await self._create(turn)
        conversation_id = UUID(turn.conversation_id)
        row = await get_conversation(
            self._database, project_id=self._project_id, conversation_id=conversation_id
        )
        if row is None:
            raise ConversationNotFound(turn.conversation_id)
        if row["state"] != "active":
            raise ConversationClosed(turn.conversation_id, row["state"])
        return conversation_id

    async def _create(self, turn: ChatTurn) -> UUID:
        conversation_id = UUID(uuid7())
        await create_conversation(
            self._database,
            conversation_id=conversation_id,
            project_id=self._project_id,
            session_id=self._redactor.preview(turn.session_id, 200),
            user_id=self._redactor.preview(turn.user_id, 200),
            title=make_title(self._redactor.preview(turn.content)),
        )
        return conversation_id

    async def history(self, conversation_id: UUID) -> list[dict[str, str]]:
        """Return the messages so far, oldest first, as a provider wants them."""
        rows = await list_messages(
            self._database,
            project_id=self._project_id,
            conversation_id=conversation_id,
            row_limit=_HISTORY_MESSAGES,
        )
        return [{"role": row["role"], "content": row["content"]} for row in rows if row["content"]]

    async def add_user_message(self, conversation_id: UUID, message_id: UUID, content: str) -> None:
        """Store what the person said."""
        await self._add(conversation_id, message_id, "user", content)

    async def add_answer(
        self,
        conversation_id: UUID,
        message_id: UUID,
        content: str,
        *,
        log_id: str,
        provider: str,
        model: str,
        outcome: str,
    ) -> None:
        """Store what the model said, as far as it came."""
        await self._add(
            conversation_id, message_id, "assistant", content,
            log_id=UUID(log_id), provider=provider, model=model, outcome=outcome,
        )  # fmt: skip

    async def _add(
        self,
        conversation_id: UUID,
        message_id: UUID,
        role: str,
        content: str,
        *,
        log_id: UUID | None = None,
        provider: str = "",
        model: str = "",
        outcome: str = "",
    ) -> None:
        message = NewMessage(
            message_id=message_id,
            project_id=self._project_id,
            conversation_id=conversation_id,
            role=role,
            content=self._redactor.redact(content)[:_STORED_CHARS],
            log_id=log_id,
            provider=provider,
            model=model,
            outcome=outcome,
        )
        await add_message(self._database, message)


def make_title(text: str) -> str:
    """Return the first line of a text, at most 50 characters, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= _TITLE_CHARS:
        return line
    head = line[: _TITLE_CHARS - 1]
    at_word = head.rsplit(" ", 1)[0] if " " in head else head
    return f"{at_word}…"

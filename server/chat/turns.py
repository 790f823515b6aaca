"""One chat turn: the conversation it belongs to, the history it sends, and the messages it stores."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from llm_observe.ids import uuid7
from llm_observe.redaction import clean, cut

from server.rpc.auth import caller
from server.rpc.errors import ConversationClosed, ConversationNotFound
from storage.conversations import (
    NewMessage,
    add_message,
    create_conversation,
    get_conversation,
    get_message,
    list_messages,
    start_conversation,
)

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor
    from llm_observe.v1.chat_service_pb2 import ChatTurn

    from storage.pool import Database

_TITLE_CHARS: Final = 50
_HISTORY_MESSAGES: Final = 200
_STORED_CHARS: Final = 200_000
_TITLE_READ_CHARS: Final = 2_000

StorageMode = Literal["full", "redacted", "none"]


class TurnStore:
    """Conversations and messages in Postgres. What a model is sent of earlier turns is what is kept.

    Args:
        database: Where they are kept.
        redactor: Redacts what is stored, unless the mode is ``full``.
        mode: ``full``, ``redacted`` or ``none``, which keeps messages without their text.
    """

    def __init__(self, database: Database, redactor: Redactor, mode: StorageMode = "redacted") -> None:
        self._database = database
        self._redactor = redactor
        self._mode = mode

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
            self._database, project_id=caller().project_id, conversation_id=conversation_id
        )
        if row is None:
            raise ConversationNotFound(turn.conversation_id)
        if row["state"] != "active":
            raise ConversationClosed(turn.conversation_id, row["state"])
        return conversation_id

    async def start(self, turn: ChatTurn, message_id: UUID) -> UUID:
        """Return a new conversation with the turn's words in it, stored in one statement."""
        conversation_id = UUID(uuid7())
        await start_conversation(
            self._database,
            conversation_id=conversation_id,
            **self._describe(turn),
            message_id=message_id,
            content=self._stored(turn.content),
        )
        return conversation_id

    async def _create(self, turn: ChatTurn) -> UUID:
        conversation_id = UUID(uuid7())
        await create_conversation(self._database, conversation_id=conversation_id, **self._describe(turn))
        return conversation_id

    def _describe(self, turn: ChatTurn) -> dict[str, str]:
        """Return what a new conversation shows of itself."""
        return {
            "project_id": caller().project_id,
            "session_id": self._redactor.preview(turn.session_id, 200),
            "user_id": self._redactor.preview(turn.user_id, 200),
            "title": make_title(self._stored(turn.content[:_TITLE_READ_CHARS])),
        }

    async def history(self, conversation_id: UUID, until: UUID) -> list[dict[str, str]]:
        """Return the messages before ``until``, oldest first, as a provider wants them."""
        rows = await list_messages(
            self._database,
            project_id=caller().project_id,
            conversation_id=conversation_id,
            row_limit=_HISTORY_MESSAGES,
        )
        before = itertools.takewhile(lambda row: UUID(int=row["message_id"].int) != until, rows)
        return [{"role": row["role"], "content": row["content"]} for row in before if row["content"]]

    async def content_of(self, message_id: UUID) -> str:
        """Return a message's text as it is stored; empty when it is gone."""
        row = await get_message(self._database, project_id=caller().project_id, message_id=message_id)
        return str(row["content"]) if row is not None else ""

    def _stored(self, content: str) -> str:
        if self._mode == "none":
            return ""
        whole = clean(content) if self._mode == "full" else self._redactor.redact(clean(content))
        return cut(whole, _STORED_CHARS)

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
            project_id=caller().project_id,
            conversation_id=conversation_id,
            role=role,
            content=self._stored(content),
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

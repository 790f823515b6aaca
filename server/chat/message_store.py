"""What chat keeps in Postgres: the conversation of each turn, and its messages."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, Literal, TypedDict
from uuid import UUID

from llm_observe.ids import uuid7
from llm_observe.limits import MAX_TEXT_CHARS
from llm_observe.redaction import clean, cut

from server.rpc.auth import caller
from server.rpc.errors import ConversationClosed, ConversationNotFound
from storage import conversations
from storage.conversations import NewMessage

if TYPE_CHECKING:
    from llm_observe import ChatResult
    from llm_observe.redaction import Redactor
    from llm_observe.v1.chat_service_pb2 import ChatTurn

    from server.chat.attempts import Attempt
    from storage.pool import Database

_TITLE_CHARS: Final = 50
"""Length of a title that is made of the first message; MAX_TITLE_CHARS is for titles that users write."""
_HISTORY_MESSAGES: Final = 200
_MAX_STORED_CHARS: Final = 200_000
_TITLE_SOURCE_CHARS: Final = 2_000
"""How much of a message is redacted to make a title of it."""

StorageMode = Literal["full", "redacted", "none"]


class _Description(TypedDict):
    project_id: str
    session_id: str
    user_id: str
    title: str


class MessageStore:
    """Conversations and messages. A model is sent earlier messages as they are stored.

    Args:
        database: Where they are stored.
        redactor: Redacts what is stored, unless the mode is ``full``.
        mode: ``full``, ``redacted`` or ``none``, which stores messages without their text.
    """

    def __init__(self, database: Database, redactor: Redactor, mode: StorageMode = "redacted") -> None:
        self._database = database
        self._redactor = redactor
        self._mode = mode

    async def start_conversation(self, turn: ChatTurn, message_id: UUID) -> UUID:
        """Store a new conversation with the turn's message in one statement, and return its id."""
        conversation_id = UUID(uuid7())
        await conversations.start_conversation(
            self._database,
            conversation_id=conversation_id,
            **self._describe(turn),
            message_id=message_id,
            content=self._to_stored(turn.content),
        )
        return conversation_id

    async def open_conversation(self, turn: ChatTurn) -> UUID:
        """Return the id of the turn's conversation, a new one when the turn names none.

        Raises:
            ConversationNotFound: The turn names a conversation that does not exist.
            ConversationClosed: It is cancelled or completed.
        """
        if not turn.conversation_id:
            conversation_id = UUID(uuid7())
            await conversations.create_conversation(
                self._database, conversation_id=conversation_id, **self._describe(turn)
            )
            return conversation_id
        conversation_id = UUID(turn.conversation_id)
        conversation = await conversations.get_conversation(
            self._database, project_id=caller().project_id, conversation_id=conversation_id
        )
        if conversation is None:
            raise ConversationNotFound(turn.conversation_id)
        if conversation.state != "active":
            raise ConversationClosed(turn.conversation_id, conversation.state)
        return conversation_id

    async def history(self, attempt: Attempt) -> list[dict[str, str]]:
        """Return the conversation's messages before the attempt's own, oldest first, for LLMClient."""
        messages = await conversations.list_messages(
            self._database,
            project_id=caller().project_id,
            conversation_id=attempt.known_conversation_id,
            row_limit=_HISTORY_MESSAGES,
        )
        earlier = itertools.takewhile(lambda message: message.message_id != attempt.user_message_id, messages)
        return [{"role": message.role, "content": message.content} for message in earlier if message.content]

    async def content_of(self, attempt: Attempt) -> str:
        """Return the stored answer of an attempt; empty when it was deleted."""
        message = await conversations.get_message(
            self._database, project_id=caller().project_id, message_id=attempt.message_id
        )
        return message.content if message is not None else ""

    async def add_user_message(self, attempt: Attempt, content: str) -> None:
        """Store the user's message."""
        message = NewMessage(
            message_id=attempt.user_message_id,
            project_id=caller().project_id,
            conversation_id=attempt.known_conversation_id,
            role="user",
            content=self._to_stored(content),
        )
        await conversations.add_message(self._database, message)

    async def add_answer(self, attempt: Attempt, result: ChatResult, *, provider: str, outcome: str) -> None:
        """Store the model's answer, as far as it came."""
        message = NewMessage(
            message_id=attempt.message_id,
            project_id=caller().project_id,
            conversation_id=attempt.known_conversation_id,
            role="assistant",
            content=self._to_stored(result.text),
            log_id=UUID(result.log_id),
            provider=provider,
            model=result.model,
            outcome=outcome,
        )
        await conversations.add_message(self._database, message)

    def _describe(self, turn: ChatTurn) -> _Description:
        """Return what a new conversation shows of itself."""
        return {
            "project_id": caller().project_id,
            "session_id": self._redactor.preview(turn.session_id, MAX_TEXT_CHARS["session_id"]),
            "user_id": self._redactor.preview(turn.user_id, MAX_TEXT_CHARS["user_id"]),
            "title": make_title(self._to_stored(turn.content[:_TITLE_SOURCE_CHARS])),
        }

    def _to_stored(self, content: str) -> str:
        if self._mode == "none":
            return ""
        text = clean(content) if self._mode == "full" else self._redactor.redact(clean(content))
        return cut(text, _MAX_STORED_CHARS)


def make_title(text: str) -> str:
    """Return a text on one line, at most 50 characters, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= _TITLE_CHARS:
        return line
    head = line[: _TITLE_CHARS - 1]
    at_word = head.rsplit(" ", 1)[0] if " " in head else head
    return f"{at_word}…"

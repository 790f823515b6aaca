"""Conversations and their messages."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A row of conversations."""

    conversation_id: UUID
    project_id: str
    session_id: str
    user_id: str
    title: str
    state: str
    """``active``, ``cancelled`` or ``completed``."""
    provider: str
    """Of the last answer, as is ``model``; empty before the first."""
    model: str
    message_count: int
    last_message_preview: str
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNumbers:
    """What the log of an answer's call says of it; None is unknown."""

    usage_source: str
    latency_us: int | None
    time_to_first_token_us: int | None
    input_token_count: int | None
    output_token_count: int | None
    total_token_count: int | None
    cost_nano_usd: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A row of messages. ``log_id`` to ``outcome`` are empty for user and system messages."""

    message_id: UUID
    project_id: str
    conversation_id: UUID
    role: str
    content: str
    create_time: datetime
    log_id: UUID | None
    provider: str
    model: str
    outcome: str
    numbers: CallNumbers | None = None
    """None until the call's log is stored, and where they were not asked for."""


# By name: a newer schema may have more columns.
_CONVERSATION: Final = tuple(field.name for field in fields(Conversation))
_NUMBERS: Final = tuple(field.name for field in fields(CallNumbers))
_MESSAGE: Final = tuple(field.name for field in fields(Message) if field.name != "numbers")


def _to_conversation(row: asyncpg.Record) -> Conversation:
    return Conversation(**{name: row[name] for name in _CONVERSATION})


def _to_message(row: asyncpg.Record) -> Message:
    return Message(**{name: row[name] for name in _MESSAGE})


def _to_message_with_numbers(row: asyncpg.Record) -> Message:
    if not row["usage_source"]:
        return _to_message(row)
    return replace(_to_message(row), numbers=CallNumbers(**{name: row[name] for name in _NUMBERS}))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message to store. The last four are empty for user and system messages."""

    message_id: UUID
    project_id: str
    conversation_id: UUID
    role: str
    content: str
    log_id: UUID | None = None
    provider: str = ""
    model: str = ""
    outcome: str = ""


class ConversationPage(NamedTuple):
    """One page, and how many match in all, read in one transaction."""

    conversations: list[Conversation]
    total_count: int


async def create_conversation(
    database: Database, *, conversation_id: UUID, project_id: str, session_id: str, user_id: str, title: str
) -> Conversation:
    """Store a new conversation and return it."""
    row = await database.fetch_one(
        _QUERIES["create_conversation"],
        conversation_id=conversation_id,
        project_id=project_id,
        session_id=session_id,
        user_id=user_id,
        title=title,
    )
    assert row is not None, "INSERT ... RETURNING returns its row"  # noqa: S101 - narrows the type
    return _to_conversation(row)


async def start_conversation(
    database: Database,
    *,
    conversation_id: UUID,
    project_id: str,
    session_id: str,
    user_id: str,
    title: str,
    message_id: UUID,
    content: str,
) -> None:
    """Store a new conversation with its first message, a user's."""
    await database.fetch(
        _QUERIES["start_conversation"],
        conversation_id=conversation_id,
        project_id=project_id,
        session_id=session_id,
        user_id=user_id,
        title=title,
        message_id=message_id,
        content=content,
    )


async def get_conversation(
    database: Database, *, project_id: str, conversation_id: UUID
) -> Conversation | None:
    """Return a conversation, or None where there is none."""
    row = await database.fetch_one(
        _QUERIES["get_conversation"], project_id=project_id, conversation_id=conversation_id
    )
    return _to_conversation(row) if row is not None else None


async def add_message(database: Database, message: NewMessage) -> None:
    """Store a message and show it in its conversation."""
    await database.fetch(_QUERIES["add_message"], **asdict(message))


async def list_messages(
    database: Database, *, project_id: str, conversation_id: UUID, row_limit: int
) -> list[Message]:
    """Return the newest messages, oldest first, with the numbers of their calls."""
    rows = await database.fetch(
        _QUERIES["list_messages"], project_id=project_id, conversation_id=conversation_id, row_limit=row_limit
    )
    return [_to_message_with_numbers(row) for row in rows]


async def page_messages(
    database: Database,
    *,
    project_id: str,
    conversation_id: UUID,
    after: tuple[datetime, UUID] | None,
    row_limit: int,
) -> list[Message]:
    """Return messages after a cursor, oldest first, with the numbers of their calls."""
    after_time, after_id = after or (None, None)
    rows = await database.fetch(
        _QUERIES["page_messages"],
        project_id=project_id,
        conversation_id=conversation_id,
        after_time=after_time,
        after_id=after_id,
        row_limit=row_limit,
    )
    return [_to_message_with_numbers(row) for row in rows]


async def list_conversations(
    database: Database,
    *,
    project_id: str,
    states: Sequence[str] | None = None,
    provider: str | None = None,
    session_id: str | None = None,
    user_id: str | None = None,
    text: str | None = None,
    row_limit: int,
    row_offset: int,
) -> ConversationPage:
    """Return one page, newest activity first; None matches all, ``text`` occurs in the title or a message."""
    filters = {
        "project_id": project_id,
        "states": states,
        "provider": provider,
        "session_id": session_id,
        "user_id": user_id,
        "pattern": None if text is None else f"%{_escape(text)}%",
    }
    async with database.connection() as connection, connection.transaction(read_only=True):
        counted = await connection.fetch_one(_QUERIES["count_conversations"], **filters)
        rows = await connection.fetch(
            _QUERIES["list_conversations"], row_limit=row_limit, row_offset=row_offset, **filters
        )
    total_count = counted["count"] if counted is not None else 0
    return ConversationPage([_to_conversation(row) for row in rows], total_count)


def _escape(text: str) -> str:
    r"""Escape the characters that LIKE takes for wildcards."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


async def set_title(
    database: Database, *, project_id: str, conversation_id: UUID, title: str
) -> Conversation | None:
    """Change the title and return the conversation, or None where there is none."""
    row = await database.fetch_one(
        _QUERIES["set_title"], project_id=project_id, conversation_id=conversation_id, title=title
    )
    return _to_conversation(row) if row is not None else None


async def set_state(
    database: Database, *, project_id: str, conversation_id: UUID, state: str, allowed_states: Sequence[str]
) -> Conversation | None:
    """Change the state and return the conversation, or None where none is in one of the allowed states."""
    row = await database.fetch_one(
        _QUERIES["set_state"],
        project_id=project_id,
        conversation_id=conversation_id,
        state=state,
        allowed_states=allowed_states,
    )
    return _to_conversation(row) if row is not None else None


async def delete_conversation(database: Database, *, project_id: str, conversation_id: UUID) -> bool:
    """Delete a conversation with its messages; logs stay. Return whether there was one."""
    row = await database.fetch_one(
        _QUERIES["delete_conversation"], project_id=project_id, conversation_id=conversation_id
    )
    return row is not None


async def get_message(database: Database, *, project_id: str, message_id: UUID) -> Message | None:
    """Return a message without the numbers of its call, or None where there is none."""
    row = await database.fetch_one(_QUERIES["get_message"], project_id=project_id, message_id=message_id)
    return _to_message(row) if row is not None else None

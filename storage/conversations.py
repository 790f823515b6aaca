"""Conversations and their messages."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)


@dataclass(frozen=True, kw_only=True)
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
    """One page, and how many match in all; both of one moment."""

    rows: list[asyncpg.Record]
    total_count: int


async def create_conversation(
    database: Database, *, conversation_id: UUID, project_id: str, session_id: str, user_id: str, title: str
) -> asyncpg.Record:
    """Store a new conversation and return its row."""
    row = await database.fetch_one(
        _QUERIES["create_conversation"],
        conversation_id=conversation_id,
        project_id=project_id,
        session_id=session_id,
        user_id=user_id,
        title=title,
    )
    assert row is not None, "INSERT ... RETURNING returns its row"  # noqa: S101 - narrows the type
    return row


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
    """Store a new conversation that begins with what a person said."""
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
) -> asyncpg.Record | None:
    """Return a conversation's row, or None."""
    return await database.fetch_one(
        _QUERIES["get_conversation"], project_id=project_id, conversation_id=conversation_id
    )


async def add_message(database: Database, message: NewMessage) -> None:
    """Store a message and show it in its conversation."""
    await database.fetch(_QUERIES["add_message"], **asdict(message))


async def list_messages(
    database: Database, *, project_id: str, conversation_id: UUID, row_limit: int
) -> list[asyncpg.Record]:
    """Return the newest messages, oldest first, with the numbers of their calls."""
    return await database.fetch(
        _QUERIES["list_messages"], project_id=project_id, conversation_id=conversation_id, row_limit=row_limit
    )


async def page_messages(
    database: Database,
    *,
    project_id: str,
    conversation_id: UUID,
    after: tuple[datetime, UUID] | None,
    row_limit: int,
) -> list[asyncpg.Record]:
    """Return messages after a cursor, oldest first, with the numbers of their calls."""
    after_time, after_id = after or (None, None)
    return await database.fetch(
        _QUERIES["page_messages"],
        project_id=project_id,
        conversation_id=conversation_id,
        after_time=after_time,
        after_id=after_id,
        row_limit=row_limit,
    )


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
    """Return one page, newest activity first; None matches all, text is looked for in titles and messages."""
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
    return ConversationPage(rows, counted["count"] if counted is not None else 0)


def _escape(text: str) -> str:
    r"""Take the meaning from what LIKE reads as wildcards."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


async def set_title(
    database: Database, *, project_id: str, conversation_id: UUID, title: str
) -> asyncpg.Record | None:
    """Change the title and return the row, or None where there is none."""
    return await database.fetch_one(
        _QUERIES["set_title"], project_id=project_id, conversation_id=conversation_id, title=title
    )


async def set_state(
    database: Database, *, project_id: str, conversation_id: UUID, state: str, allowed_states: Sequence[str]
) -> asyncpg.Record | None:
    """Change the state and return the row, or None where there is none in one of the allowed states."""
    return await database.fetch_one(
        _QUERIES["set_state"],
        project_id=project_id,
        conversation_id=conversation_id,
        state=state,
        allowed_states=allowed_states,
    )


async def delete_conversation(database: Database, *, project_id: str, conversation_id: UUID) -> bool:
    """Delete a conversation with its messages; logs stay. Tell whether it was there."""
    row = await database.fetch_one(
        _QUERIES["delete_conversation"], project_id=project_id, conversation_id=conversation_id
    )
    return row is not None


async def get_message(database: Database, *, project_id: str, message_id: UUID) -> asyncpg.Record | None:
    """Return a message's row, or None."""
    return await database.fetch_one(_QUERIES["get_message"], project_id=project_id, message_id=message_id)

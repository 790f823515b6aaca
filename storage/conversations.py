"""Conversations and their messages."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from storage.sql import load_queries

if TYPE_CHECKING:
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
    """Return the newest messages, oldest first."""
    return await database.fetch(
        _QUERIES["list_messages"], project_id=project_id, conversation_id=conversation_id, row_limit=row_limit
    )

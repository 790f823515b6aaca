"""Channels that notices about alerts go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)
MAX_PER_PROJECT: Final = 100
"""Channels of a project; likewise its rules and budgets."""


class TooMany(Exception):
    """The project has as many as it may."""


class ChannelMissing(Exception):
    """The project has no such channel.

    Args:
        channel_id: The first that is missing.
    """

    def __init__(self, channel_id: UUID) -> None:
        super().__init__("the project has no such channel")
        self.channel_id = channel_id


class ChannelUsed(Exception):
    """Rules or budgets name the channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel without what is secret."""

    channel_id: UUID
    project_id: str
    display_name: str
    type: str
    """``webhook``, ``slack`` or ``email``."""
    host: str
    email_addresses: Sequence[str]
    create_time: datetime
    update_time: datetime
    waiting_count: int = 0
    undelivered_count: int = 0
    """Of the last 24 hours."""
    last_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What sending to a channel takes."""

    channel_id: UUID
    project_id: str
    display_name: str
    type: str
    url: str
    signing_secret: str
    email_addresses: Sequence[str]

    def __repr__(self) -> str:
        return f"Target({self.channel_id})"  # neither URL nor secret may get into a log


async def create_channel(
    database: Database,
    *,
    project_id: str,
    display_name: str,
    type: str,  # noqa: A002 - the column's name
    url: str = "",
    signing_secret: str = "",
    host: str = "",
    email_addresses: Sequence[str] = (),
) -> Channel:
    """Create a channel.

    Raises:
        TooMany: The project has MAX_PER_PROJECT.
    """
    async with database.connection() as connection, connection.transaction():
        await lock_project(connection, project_id)
        row = await connection.fetch_one(
            _QUERIES["create_channel"],
            project_id=project_id,
            display_name=display_name,
            type=type,
            url=url,
            signing_secret=signing_secret,
            host=host,
            email_addresses=email_addresses,
            maximum=MAX_PER_PROJECT,
        )
    if row is None:
        raise TooMany
    return Channel(**row)


async def lock_project(connection: Connection, project_id: str) -> None:
    """Have others that count what the project has wait for the end of this transaction."""
    await connection.fetch(_QUERIES["lock_project"], project_id=project_id)


async def list_channels(database: Database, project_id: str, *, since: datetime) -> list[Channel]:
    """Return a project's channels, oldest first; undelivered messages are counted since a time."""
    rows = await database.fetch(_QUERIES["list_channels"], project_id=project_id, since=since)
    return [Channel(**row) for row in rows]


async def get_target(database: Database, project_id: str, channel_id: UUID) -> Target | None:
    """Return what sending to a channel takes, or None."""
    row = await database.fetch_one(_QUERIES["get_target"], project_id=project_id, channel_id=channel_id)
    return Target(**row) if row is not None else None


async def update_channel(
    database: Database,
    project_id: str,
    channel_id: UUID,
    *,
    display_name: str | None = None,
    url: str | None = None,
    host: str | None = None,
    email_addresses: Sequence[str] | None = None,
) -> Channel | None:
    """Change what is not None, and return the channel; None if there is none."""
    row = await database.fetch_one(
        _QUERIES["update_channel"],
        project_id=project_id,
        channel_id=channel_id,
        display_name=display_name,
        url=url,
        host=host,
        email_addresses=email_addresses,
    )
    return Channel(**row) if row is not None else None


async def lock_channels(connection: Connection, project_id: str, channel_ids: Sequence[UUID]) -> None:
    """Keep channels from being deleted until the transaction ends.

    Raises:
        ChannelMissing: The project lacks one.
    """
    rows = await connection.fetch(
        _QUERIES["lock_channels"], project_id=project_id, channel_ids=list(channel_ids)
    )
    present = {row["channel_id"] for row in rows}
    for channel_id in channel_ids:
        if channel_id not in present:
            raise ChannelMissing(channel_id)


async def delete_channel(database: Database, project_id: str, channel_id: UUID) -> bool:
    """Delete a channel and what waits to be sent to it; False if there is none.

    Raises:
        ChannelUsed: Rules or budgets name it.
    """
    values = {"project_id": project_id, "channel_id": channel_id}
    async with database.connection() as connection, connection.transaction():
        if await connection.fetch_one(_QUERIES["lock_channel"], **values) is None:
            return False
        # A statement of its own: it sees the rules that were stored while this one waited for the lock.
        row = await connection.fetch_one(_QUERIES["is_channel_used"], **values)
        if row is not None and row["used"]:
            raise ChannelUsed
        await connection.fetch(_QUERIES["delete_channel"], **values)
    return True

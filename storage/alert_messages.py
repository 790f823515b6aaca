"""The outbox of notices: grouped into messages, claimed by senders, and settled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from storage.alert_channels import Target
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
MAX_NOTICES: Final = 100
"""Notices of a message; further ones go into the next."""
_MESSAGE_COLUMNS: Final = ("message_id", "attempt_count", "message_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """That an alert fires, still fires, or is resolved."""

    status: str
    """``firing`` or ``resolved``."""
    fingerprint: str
    labels: Mapping[str, str]
    summary: str
    value: float
    start_time: datetime
    resolve_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMessage:
    """A message that this process may try to send."""

    message_id: UUID
    """The same at each attempt: the idempotency key."""
    attempt_count: int
    """This attempt included."""
    message_time: datetime
    target: Target
    notices: Sequence[Notice]


async def make_messages(database: Database, *, now: datetime) -> int:
    """Group the notices that wait into messages, at most one a channel and minute; return how many."""
    count = 0
    while await _make_message(database, now):
        count += 1
    return count


async def _make_message(database: Database, now: datetime) -> bool:
    async with database.connection() as connection, connection.transaction():
        channel = await connection.fetch_one(_QUERIES["find_channel_with_notices"], now=now)
        if channel is None:
            return False
        await connection.fetch(
            _QUERIES["make_message"], channel_id=channel["channel_id"], now=now, max_notices=MAX_NOTICES
        )
    return True


async def claim_message(database: Database, *, now: datetime, lease_end: datetime) -> ClaimedMessage | None:
    """Return a message that is due, for nobody else to send until the lease ends; None without any."""
    row = await database.fetch_one(_QUERIES["claim_message"], now=now, lease_end=lease_end)
    if row is None:
        return None
    notices = await database.fetch(_QUERIES["list_notices"], message_id=row["message_id"])
    return ClaimedMessage(
        target=Target(**{name: value for name, value in row.items() if name not in _MESSAGE_COLUMNS}),
        notices=[Notice(**{**notice, "labels": json.loads(notice["labels"])}) for notice in notices],
        **{name: row[name] for name in _MESSAGE_COLUMNS},
    )


async def settle_message(
    database: Database,
    message: ClaimedMessage,
    state: str,
    *,
    now: datetime,
    error: str = "",
    next_attempt_time: datetime | None = None,
) -> None:
    """Note how an attempt ended: ``delivered``, ``undelivered``, or ``waiting`` for the next one."""
    await database.fetch(
        _QUERIES["settle_message"],
        message_id=message.message_id,
        attempt_count=message.attempt_count,
        state=state,
        error=error,
        next_attempt_time=next_attempt_time,
        now=now,
    )


async def count_undelivered(database: Database, *, since: datetime) -> int:
    """Return how many messages of all projects could not be delivered since a time."""
    row = await database.fetch_one(_QUERIES["count_undelivered"], since=since)
    return int(row["count"]) if row is not None else 0

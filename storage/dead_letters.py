"""What could not be stored, kept with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from storage.ledger import add_batches
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from datetime import datetime

    import asyncpg

    from storage.incoming import BatchPart
    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
_REPLAYED_AT_ONCE: Final = 100

UNPARSABLE: Final = "unparsable"
"""The payload's only key where a message could not be read; its value is redacted text."""


@dataclass(frozen=True, kw_only=True)
class NewDeadLetter:
    """A dead letter to store. payload is redacted JSON; dedup_key names the failure it stands for."""

    project_id: str
    reason: str
    message: str
    log_id: str
    log_count: int
    attempt_count: int
    first_attempt_time: datetime
    payload: str
    producer_id: str
    dedup_key: str


async def add_dead_letters(
    database: Database, letters: Sequence[NewDeadLetter], parts: Sequence[BatchPart] = ()
) -> None:
    """Store dead letters and note their batches, all or none; one that is there already is left alone."""
    async with database.connection() as connection, connection.transaction():
        await add_batches(connection, parts)
        for letter in letters:
            await connection.fetch(_QUERIES["add_dead_letter"], **asdict(letter))


async def count_waiting_dead_letters(database: Database) -> int:
    """Return how many wait for a person."""
    row = await database.fetch_one(_QUERIES["count_waiting_dead_letters"])
    return int(row["count"]) if row is not None else 0


@dataclass(frozen=True, kw_only=True)
class DeadLetterFilter:
    """Which dead letters. None means all."""

    project_id: str
    states: Sequence[str]
    ids: Sequence[UUID] | None = None
    reason: str | None = None
    start_time: datetime | None = None
    """Of the last attempt, inclusive."""
    end_time: datetime | None = None
    """Of the last attempt, exclusive."""


async def list_dead_letters(
    database: Database, which: DeadLetterFilter, *, before_id: UUID | None, row_limit: int
) -> list[asyncpg.Record]:
    """Return dead letters without payloads, newest first."""
    query = _QUERIES["list_dead_letters"]
    return await database.fetch(query, **asdict(which), before_id=before_id, row_limit=row_limit)


async def get_dead_letter(
    database: Database, *, project_id: str, dead_letter_id: UUID
) -> asyncpg.Record | None:
    """Return one dead letter with its payload, or None."""
    query = _QUERIES["get_dead_letter"]
    return await database.fetch_one(query, project_id=project_id, dead_letter_id=dead_letter_id)


async def discard_dead_letters(database: Database, which: DeadLetterFilter) -> int:
    """Give dead letters up for good; returns how many."""
    row = await database.fetch_one(_QUERIES["discard_dead_letters"], **asdict(which))
    return int(row["count"]) if row is not None else 0


async def count_replayable_dead_letters(database: Database, which: DeadLetterFilter) -> int:
    """Return how many can be queued again: not those that nobody can read."""
    row = await database.fetch_one(_QUERIES["count_replayable_dead_letters"], **asdict(which))
    return int(row["count"]) if row is not None else 0


async def replay_dead_letters(
    database: Database,
    which: DeadLetterFilter,
    queue: Callable[[Sequence[asyncpg.Record]], Awaitable[None]],
) -> AsyncIterator[int]:
    """Mark dead letters as replayed once ``queue`` has taken them; yields how many it has taken so far.

    A crash in between leaves them waiting, though queued: storing a log twice changes nothing.
    """
    newest = await list_dead_letters(database, which, before_id=None, row_limit=1)
    if not newest:
        return
    after_id, done = UUID(int=0), 0
    while True:
        async with database.connection() as connection, connection.transaction():
            taken = await connection.fetch(
                _QUERIES["take_dead_letters"],
                **asdict(which),
                after_id=after_id,
                last_id=newest[0]["dead_letter_id"],  # what fails again meanwhile is for the next time
                row_limit=_REPLAYED_AT_ONCE,
            )
            if not taken:
                return
            await queue(taken)
        after_id = max(UUID(int=row["dead_letter_id"].int) for row in taken)
        done += len(taken)
        yield done

"""Dead letters: logs and batches that could not be stored, kept with the reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from storage.ledger import add_batches
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from datetime import datetime

    from storage.incoming import BatchPart
    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)
_REPLAYED_AT_ONCE: Final = 100

REFUSED: Final = "refused"
"""Reason: the database rejected the log."""
FOREIGN_LOG: Final = "foreign_log"
"""Reason: the log_id belongs to another project."""
INVALID_CONTENT: Final = "invalid_content"
"""Reason: the log holds a value that no row can hold."""
UNPARSABLE: Final = "unparsable"
"""Reason: the batch or the message cannot be read."""
KILLED_WORKER: Final = "killed_worker"
"""Reason: workers died while they processed the message alone."""
UNPARSABLE_TEXT: Final = "unparsable"
"""The only key of the payload of what could not be read; its value is redacted text."""


def failure_reason(error: BaseException) -> str:
    """Return the reason of a message whose task kept raising an error: ``failed:`` and the error's class."""
    return f"failed:{type(error).__name__}"


@dataclass(frozen=True, kw_only=True)
class NewDeadLetter:
    """A dead letter to store. payload is redacted JSON; dedup_key identifies the failure."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A dead letter as it is listed."""

    dead_letter_id: UUID
    reason: str
    message: str
    log_id: str
    log_count: int
    attempt_count: int
    first_attempt_time: datetime
    last_attempt_time: datetime
    state: str
    producer_id: str
    payload: str = ""
    """Redacted JSON; '' in lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedDeadLetter:
    """What is queued again of a dead letter."""

    dead_letter_id: UUID
    log_id: str
    """Empty where the payload is a whole batch."""
    producer_id: str
    payload: str
    first_attempt_time: datetime


async def add_dead_letters(
    database: Database, letters: Sequence[NewDeadLetter], parts: Sequence[BatchPart] = ()
) -> None:
    """Store dead letters and the ledger of their batches, all or none; one that exists is left alone."""
    async with database.connection() as connection, connection.transaction():
        await add_batches(connection, parts)
        for letter in letters:
            await connection.fetch(_QUERIES["add_dead_letter"], **asdict(letter))


async def count_waiting_dead_letters(database: Database, project_id: str | None = None) -> int:
    """Return how many dead letters wait for a person, of a project or of all."""
    row = await database.fetch_one(_QUERIES["count_waiting_dead_letters"], project_id=project_id)
    return int(row["count"]) if row is not None else 0


@dataclass(frozen=True, kw_only=True)
class DeadLetterFilter:
    """Selects dead letters. None means all."""

    project_id: str
    states: Sequence[str]
    ids: Sequence[UUID] | None = None
    reason: str | None = None
    start_time: datetime | None = None
    """Of the last attempt, inclusive."""
    end_time: datetime | None = None
    """Of the last attempt, exclusive."""


async def list_dead_letters(
    database: Database, selected: DeadLetterFilter, *, before_id: UUID | None, row_limit: int
) -> list[DeadLetter]:
    """Return dead letters without payloads, newest first."""
    query = _QUERIES["list_dead_letters"]
    rows = await database.fetch(query, **asdict(selected), before_id=before_id, row_limit=row_limit)
    return [DeadLetter(**row) for row in rows]


async def get_dead_letter(database: Database, *, project_id: str, dead_letter_id: UUID) -> DeadLetter | None:
    """Return a dead letter with its payload, or None."""
    query = _QUERIES["get_dead_letter"]
    row = await database.fetch_one(query, project_id=project_id, dead_letter_id=dead_letter_id)
    return DeadLetter(**row) if row is not None else None


async def discard_dead_letters(database: Database, selected: DeadLetterFilter) -> int:
    """Mark dead letters as discarded; returns how many."""
    row = await database.fetch_one(_QUERIES["discard_dead_letters"], **asdict(selected))
    return int(row["count"]) if row is not None else 0


async def count_replayable_dead_letters(database: Database, selected: DeadLetterFilter) -> int:
    """Return how many dead letters can be queued again: all but those that cannot be read."""
    row = await database.fetch_one(_QUERIES["count_replayable_dead_letters"], **asdict(selected))
    return int(row["count"]) if row is not None else 0


async def replay_dead_letters(
    database: Database,
    selected: DeadLetterFilter,
    enqueue: Callable[[Sequence[ReplayedDeadLetter]], Awaitable[None]],
) -> AsyncIterator[int]:
    """Mark dead letters as replayed once ``enqueue`` has taken them; yields how many it has taken so far.

    A crash in between leaves them waiting although they are queued: storing a log twice changes nothing.
    """
    newest = await list_dead_letters(database, selected, before_id=None, row_limit=1)
    if not newest:
        return
    after_id, done = UUID(int=0), 0
    while True:
        async with database.connection() as connection, connection.transaction():
            taken = await connection.fetch(
                _QUERIES["take_dead_letters"],
                **asdict(selected),
                after_id=after_id,
                last_id=newest[0].dead_letter_id,  # what fails again meanwhile is left to the next replay
                row_limit=_REPLAYED_AT_ONCE,
            )
            if not taken:
                return
            await enqueue([ReplayedDeadLetter(**row) for row in taken])
        after_id = max(UUID(int=row["dead_letter_id"].int) for row in taken)
        done += len(taken)
        yield done

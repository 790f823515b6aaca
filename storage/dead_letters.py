"""What could not be stored, kept with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)


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


async def add_dead_letters(database: Database, letters: Sequence[NewDeadLetter]) -> None:
    """Store dead letters, all or none; one that is there already is left alone."""
    async with database.connection() as connection, connection.transaction():
        for letter in letters:
            await connection.fetch(_QUERIES["add_dead_letter"], **asdict(letter))


async def count_waiting_dead_letters(database: Database) -> int:
    """Return how many wait for a person."""
    row = await database.fetch_one(_QUERIES["count_waiting_dead_letters"])
    return int(row["count"]) if row is not None else 0

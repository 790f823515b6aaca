"""Takes a user out of Postgres: of logs, what says who they are and what they wrote; conversations whole.

A log stays as a call that nobody is named in, so that rows, rollups, ledger and lake go on agreeing, and a
log that is sent again is not counted twice. Each batch is one transaction, which notes what it did; writers
go on meanwhile.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from storage.columns import ERASED_COLUMNS
from storage.dead_letters import UNPARSABLE_TEXT
from storage.errors import StorageUnavailable
from storage.log_digests import forget_hour
from storage.planning import plan_for_values
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)
_ROWS_AT_ONCE: Final = 2_000
"""Rows of one transaction: writers that correct them wait for it, some tens of milliseconds."""
_LETTERS_AT_ONCE: Final = 100
_HOUR: Final = timedelta(hours=1)
_ERASED_TEXT: Final = "[erased]"
"""What stands in place of what cannot be read; letters_of_user knows it."""
_ERASED_FIELDS: Final = {
    column.name: column.text for column in ERASED_COLUMNS if column.name not in {"metadata", "tags"}
}


class ErasureBusy(StorageUnavailable):
    """Another erasure or a backup runs."""


class UserData(NamedTuple):
    """A user of a project, and their conversations."""

    project_id: str
    user_id: str
    conversation_ids: Sequence[str]


class HourOfLogs(NamedTuple):
    """How many of a user's logs started in a UTC hour."""

    hour: datetime
    log_count: int


class Found(NamedTuple):
    """What Postgres has of a user."""

    user: UserData
    hours: Sequence[HourOfLogs]
    message_count: int
    dead_letter_count: int

    @property
    def log_count(self) -> int:
        """How many logs it has."""
        return sum(hour.log_count for hour in self.hours)

    def __bool__(self) -> bool:
        return bool(self.hours or self.user.conversation_ids or self.dead_letter_count)


class Erased(NamedTuple):
    """How much an erasure has erased."""

    log_count: int
    conversation_count: int
    message_count: int
    dead_letter_count: int
    lake_file_count: int


class Erasure(NamedTuple):
    """An erasure, as it was noted."""

    erasure_id: UUID
    project_id: str
    user_sha256: bytes
    """See digest_user()."""
    operator: str
    log_count: int
    conversation_count: int
    message_count: int
    dead_letter_count: int
    lake_file_count: int
    create_time: datetime
    finish_time: datetime | None
    """None while it runs, or where it was interrupted."""


async def find_user(database: Database, *, project_id: str, user_id: str) -> Found:
    """Return what Postgres has of a user. Reads every row of the project."""
    who = {"project_id": project_id, "user_id": user_id}
    conversations = await database.fetch(_QUERIES["list_conversations"], **who)
    user = UserData(project_id, user_id, [row["conversation_id"] for row in conversations])
    hours = await database.fetch(_QUERIES["count_by_hour"], **user._asdict())
    messages = await database.fetch_one(
        _QUERIES["count_messages"], project_id=project_id, conversation_ids=user.conversation_ids
    )
    letters = await database.fetch_one(_QUERIES["count_letters"], **user._asdict())
    return Found(
        user,
        [HourOfLogs(*row.values()) for row in hours],
        messages["message_count"] if messages is not None else 0,
        letters["letter_count"] if letters is not None else 0,
    )


@asynccontextmanager
async def only_erasure(database: Database) -> AsyncIterator[None]:
    """Keep other erasures and backups out.

    Raises:
        ErasureBusy: One of them runs.
    """
    async with database.connection() as connection:  # the pool gives the lock back with it
        row = await connection.fetch_one(_QUERIES["try_lock"])
        if row is None or not row["locked"]:
            raise ErasureBusy("a backup or another erasure is running: try again after it")
        yield


async def begin_erasure(database: Database, user: UserData, *, erasure_id: UUID, operator: str) -> None:
    """Note that an erasure begins, and who asked for it."""
    await database.fetch(
        _QUERIES["begin_erasure"],
        erasure_id=erasure_id,
        project_id=user.project_id,
        user_sha256=digest_user(erasure_id, user.user_id),
        operator=operator,
    )


def digest_user(erasure_id: UUID, user_id: str) -> bytes:
    """Return what an erasure notes of a user: whoever knows the id can compare it, and nobody can read it."""
    return hashlib.sha256(f"{erasure_id}\0{user_id}".encode()).digest()


async def erase_logs(
    database: Database,
    user: UserData,
    hours: Sequence[HourOfLogs],
    *,
    erasure_id: UUID,
    on_progress: Callable[[int], None],
) -> None:
    """Take a user out of the logs that started in these hours.

    Args:
        database: Where they are.
        user: Whose logs.
        hours: From find_user(). Logs that come into other hours meanwhile stay.
        erasure_id: The erasure, which notes how many they are.
        on_progress: Is given how many are done so far.
    """
    done = 0
    for hour in hours:
        while count := await _erase_batch(database, user, hour.hour, erasure_id):
            done += count
            on_progress(done)


async def _erase_batch(database: Database, user: UserData, hour: datetime, erasure_id: UUID) -> int:
    """Erase some logs of an hour; 0 where there are none."""
    logs = {**user._asdict(), "start": hour, "end": hour + _HOUR}
    while True:
        async with database.connection() as connection, connection.transaction():
            await connection.fetch(_QUERIES["lock_writes"])
            # Also when nothing is left: a digest may have been begun before the last batch was committed.
            await forget_hour(connection, user.project_id, hour)
            await plan_for_values(connection)
            found = await connection.fetch_one(_QUERIES["find_logs"], **logs, row_limit=_ROWS_AT_ONCE)
            if found is None or not found["log_ids"]:
                return 0
            ids, times = found["log_ids"], found["start_times"]
            # A statement of its own: the next one sees what writers did while this one waited for them.
            await connection.fetch(_QUERIES["lock_keys"], log_ids=ids, project_id=user.project_id)
            row = await connection.fetch_one(
                _QUERIES["erase_logs"], **logs, log_ids=ids, start_times=times, erasure_id=erasure_id
            )
            # None of them is erased where writers have corrected them all since.
            if row is not None and row["log_count"]:
                return int(row["log_count"])


async def erase_dead_letters(database: Database, user: UserData, *, erasure_id: UUID) -> None:
    """Take a user out of dead letters: their logs as those in the table, what cannot be read whole."""
    while True:
        async with database.connection() as connection, connection.transaction():
            if not await _erase_letters(connection, user, erasure_id):
                return


async def _erase_letters(connection: Connection, user: UserData, erasure_id: UUID) -> int:
    letters = await connection.fetch(_QUERIES["take_letters"], **user._asdict(), row_limit=_LETTERS_AT_ONCE)
    await connection.fetch(
        _QUERIES["erase_letters"],
        dead_letter_ids=[row["dead_letter_id"] for row in letters],
        payloads=[erase_payload(row["payload"], user) for row in letters],
        erasure_id=erasure_id,
    )
    return len(letters)


def erase_payload(payload: str, user: UserData) -> str:
    """Return a dead letter's payload without a user."""
    content = json.loads(payload)
    text = content.get(UNPARSABLE_TEXT) if isinstance(content, dict) else None
    if isinstance(text, str) and user.user_id in text:
        content[UNPARSABLE_TEXT] = _ERASED_TEXT
    _erase_objects(content, user.user_id, frozenset(user.conversation_ids))
    return json.dumps(content)


def _erase_objects(value: Any, user_id: str, conversation_ids: Collection[str]) -> None:
    """Erase every object in JSON that is a log of the user."""
    if isinstance(value, list):
        for item in value:
            _erase_objects(item, user_id, conversation_ids)
    elif isinstance(value, dict):
        if value.get("user_id") == user_id or value.get("conversation_id") in conversation_ids:
            for name, text in _ERASED_FIELDS.items():
                if name in value:
                    value[name] = text
            value.pop("metadata", None)
            value.pop("tags", None)
        for item in value.values():
            _erase_objects(item, user_id, conversation_ids)


async def erase_conversations(database: Database, user: UserData, *, erasure_id: UUID) -> None:
    """Delete a user's conversations and their messages."""
    await database.fetch(
        _QUERIES["erase_conversations"],
        project_id=user.project_id,
        conversation_ids=user.conversation_ids,
        erasure_id=erasure_id,
    )


async def note_lake_file(database: Database, erasure_id: UUID) -> None:
    """Note that a file of the lake was written again."""
    await database.fetch(_QUERIES["note_lake_file"], erasure_id=erasure_id)


async def finish_erasure(database: Database, erasure_id: UUID) -> Erased:
    """Note that an erasure is finished, and return how much it erased."""
    (row,) = await database.fetch(_QUERIES["finish_erasure"], erasure_id=erasure_id)
    return Erased(*row.values())


async def list_erasures(database: Database, row_limit: int) -> list[Erasure]:
    """Return the newest erasures, newest first."""
    rows = await database.fetch(_QUERIES["list_erasures"], row_limit=row_limit)
    return [Erasure(*row.values()) for row in rows]

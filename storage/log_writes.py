"""Logs are written with their rollups and their ledger in one transaction.

Rows that came packed are taken for new at first, as most are. They and their keys go in by COPY, and what
they add to the rollups was summed where they were packed. Where one is not new, nothing of that stays, and
all go the general way: keys are claimed, and the database tells old from new row by row.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from asyncpg.pgproto import pgproto

from storage.errors import RowExists
from storage.ledger import add_batches, count_new
from storage.logs import LogRow
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from storage.ledger import BatchPart
    from storage.pool import Connection, Database

    Sums = Mapping[str, Sequence[Any]]
    """What rows add to the rollups: add_rollups' parameters, a list each."""

__all__ = ["COPY_COLUMNS", "KEY_COLUMNS", "IncomingLog", "LogId", "WriteResult", "write_logs"]

_QUERIES: Final = load_queries(__file__)

LogId: Final = pgproto.UUID
"""Makes a UUID of 16 bytes, in a fifth of the time that uuid.UUID takes."""
COPY_COLUMNS: Final = (*LogRow._fields, "hour")
"""The columns of a packed row, in order."""
KEY_COLUMNS: Final = ("log_id", "project_id", "start_time", "receive_time")
"""The columns of a packed key, in order."""
_COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TAIL: Final = b"\xff\xff"


class IncomingLog(Protocol):
    """A log to write."""

    @property
    def log_id(self) -> UUID: ...
    @property
    def project_id(self) -> str: ...
    @property
    def start_time(self) -> datetime: ...
    @property
    def receive_time(self) -> datetime: ...
    @property
    def packed_row(self) -> bytes | None:
        """A tuple of COPY's binary format with COPY_COLUMNS, or None: only to_row() can be used.

        Numbers are small enough for the sums of a transaction's logs to fit into a bigint.
        Source: https://www.postgresql.org/docs/18/sql-copy.html
        """

    @property
    def packed_key(self) -> bytes | None:
        """Likewise of log_keys, with KEY_COLUMNS."""

    def to_row(self) -> LogRow:
        """Return the row."""


class WriteResult(NamedTuple):
    """What became of the rows of one write."""

    stored: int = 0
    """Rows that were new."""
    replaced: int = 0
    """Rows whose content was replaced."""
    stale: int = 0
    """Rows that had this content, or newer content, already."""
    new_ids: frozenset[UUID] = frozenset()
    """The logs that are new rows; not told where all are."""
    foreign_ids: frozenset[UUID] = frozenset()
    """Logs that belong to another project; nothing was written for them."""

    def plus(self, other: WriteResult) -> WriteResult:
        """Return both results as one."""
        return WriteResult(
            self.stored + other.stored,
            self.replaced + other.replaced,
            self.stale + other.stale,
            self.new_ids | other.new_ids,
            self.foreign_ids | other.foreign_ids,
        )


class _Claim(NamedTuple):
    logs: Sequence[IncomingLog]
    unclaimed: Sequence[IncomingLog]


async def write_logs(
    database: Database,
    logs: Sequence[IncomingLog],
    parts: Sequence[BatchPart] = (),
    add_up: Callable[[Sequence[Any]], Sums] | None = None,
) -> WriteResult:
    """Write logs, their rollups and their batches' ledger in one transaction. Repeating changes nothing.

    Of logs with the same log_id the one received last counts. ``add_up`` sums what packed logs add to the
    rollups; without it none is taken as packed.

    Raises:
        StorageUnavailable: Nothing was written; try again.
        StorageError: The database refused the content; nothing was written.
    """
    if logs and add_up is not None and all(log.packed_row is not None for log in logs):
        with suppress(RowExists):
            return await _add_logs(database, logs, parts, add_up(logs))
    return await _upsert_logs(database, logs, parts)


async def _add_logs(
    database: Database, logs: Sequence[IncomingLog], parts: Sequence[BatchPart], sums: Sums
) -> WriteResult:
    """Write packed logs that are all new; RowExists where one is not."""
    async with database.connection() as connection, connection.transaction():
        # In order of their ids, so that writers of the same logs wait for each other and do not deadlock.
        await connection.copy(
            "log_keys", KEY_COLUMNS, _copy_data(sorted(log.packed_key or b"" for log in logs))
        )
        await connection.copy("logs", COPY_COLUMNS, _copy_data(log.packed_row or b"" for log in logs))
        await connection.fetch(_QUERIES["add_rollups"], **sums)
        await add_batches(connection, parts, [len(part.logs) for part in parts])
    return WriteResult(stored=len(logs))


def _copy_data(tuples: Iterable[bytes]) -> bytes:
    return b"".join((_COPY_HEAD, *tuples, _COPY_TAIL))


async def _upsert_logs(
    database: Database, logs: Sequence[IncomingLog], parts: Sequence[BatchPart]
) -> WriteResult:
    """Write logs, whatever they were before."""
    # Batches that were tried before come among newer ones, in any order.
    last = {log.log_id: log for log in sorted(logs, key=lambda log: log.receive_time)}
    async with database.connection() as connection, connection.transaction():
        claim = await _claim(connection, list(last.values()))
        foreign = await _find_foreign(connection, claim.unclaimed)
        stored_ids, replaced = await _upsert_rows(connection, claim.logs)
        await add_batches(connection, parts, count_new(parts, stored_ids))
    stale = len(logs) - len(stored_ids) - replaced - len(foreign)
    return WriteResult(len(stored_ids), replaced, stale, frozenset(stored_ids), foreign)


async def _claim(connection: Connection, logs: Sequence[IncomingLog]) -> _Claim:
    if not logs:
        return _Claim((), ())
    claimed = await connection.fetch_one(
        _QUERIES["claim_logs"],
        log_ids=[log.log_id for log in logs],
        project_ids=[log.project_id for log in logs],
        start_times=[log.start_time for log in logs],
        receive_times=[log.receive_time for log in logs],
    )
    if claimed is None:
        return _Claim((), logs)
    if claimed["moved_count"]:
        await connection.fetch(
            _QUERIES["move_logs"],
            log_ids=claimed["moved_ids"],
            project_ids=claimed["project_ids"],
            old_start_times=claimed["old_start_times"],
            new_start_times=claimed["new_start_times"],
        )
    if claimed["claimed_count"] == len(logs):
        return _Claim(logs, ())
    ids = set(claimed["claimed_ids"] or ())
    return _Claim([log for log in logs if log.log_id in ids], [log for log in logs if log.log_id not in ids])


async def _find_foreign(connection: Connection, logs: Sequence[IncomingLog]) -> frozenset[UUID]:
    if not logs:
        return frozenset()
    owners = await connection.fetch(_QUERIES["find_owners"], log_ids=[log.log_id for log in logs])
    project_of = {owner["log_id"]: owner["project_id"] for owner in owners}
    return frozenset(log.log_id for log in logs if project_of.get(log.log_id) != log.project_id)


async def _upsert_rows(connection: Connection, logs: Sequence[IncomingLog]) -> tuple[Sequence[UUID], int]:
    """Write claimed logs; return the new rows' ids, and how many were replaced."""
    if not logs:
        return (), 0
    columns = zip(*(log.to_row() for log in logs), strict=True)
    values = dict(zip(LogRow._fields, map(list, columns), strict=True))
    written = await connection.fetch_one(_QUERIES["write_logs"], **values)
    return (written["stored_ids"] or (), written["replaced_count"]) if written is not None else ((), 0)

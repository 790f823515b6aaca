"""Logs are written with their rollups and their ledger in one transaction.

At first all logs are assumed to be new, as most are (docs/decisions/0012-new-rows-by-copy.md). They and their
keys go in by COPY, and what they add to the rollups was summed before. Where one is not new, nothing of that
stays, and all are upserted: keys are claimed, and the database tells old from new row by row.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.columns import DELTA_COLUMNS, KEY_COLUMNS, LOG_COLUMNS
from storage.copy_format import copy_data, unpack_tuple
from storage.errors import RowExists
from storage.ledger import add_batches, count_new
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from storage.incoming import BatchPart, IncomingLog, Sums
    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)
_LOG_NAMES: Final = tuple(column.name for column in LOG_COLUMNS)
_KEY_NAMES: Final = tuple(column.name for column in KEY_COLUMNS)
_DELTA_NAMES: Final = tuple(column.name for column in DELTA_COLUMNS)


class WriteResult(NamedTuple):
    """What became of the rows of one write."""

    stored: int = 0
    """Rows that were new."""
    replaced: int = 0
    """Rows whose content was replaced."""
    stale: int = 0
    """Rows that had this content, or newer content, already."""
    new_ids: frozenset[UUID] = frozenset()
    """The logs that are new rows; empty where all are."""
    foreign_ids: frozenset[UUID] = frozenset()
    """Logs that belong to another project; nothing was written for them."""

    def plus(self, other: WriteResult) -> WriteResult:
        """Return the sum of both results."""
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
    parts: Sequence[BatchPart],
    add_up: Callable[[Sequence[IncomingLog]], Sums],
) -> WriteResult:
    """Write logs, their rollups and their batches' ledger in one transaction. Repeating changes nothing.

    Of logs with the same log_id the one received last counts. ``add_up`` sums what logs add to the rollups.

    Raises:
        StorageUnavailable: Nothing was written; try again.
        StorageError: The database refused the content; nothing was written.
    """
    if logs:
        with suppress(RowExists):
            return await _insert_logs(database, logs, parts, add_up(logs))
    return await upsert_logs(database, logs, parts)


async def _insert_logs(
    database: Database, logs: Sequence[IncomingLog], parts: Sequence[BatchPart], sums: Sums
) -> WriteResult:
    """Write logs that are all new; RowExists where one is not."""
    async with database.connection() as connection, connection.transaction():
        # In order of their ids, so that writers of the same logs wait for each other and do not deadlock.
        await connection.copy("log_keys", _KEY_NAMES, copy_data(sorted(log.packed_key for log in logs)))
        await connection.copy("logs", _LOG_NAMES, copy_data(log.packed_row for log in logs))
        await connection.fetch(_QUERIES["mark_new_hours"], **hours_of(sums))
        await connection.copy("rollup_deltas", _DELTA_NAMES, copy_data(sums.deltas))
        await add_batches(connection, parts, [len(part.logs) for part in parts])
    return WriteResult(stored=len(logs))


def hours_of(sums: Sums) -> dict[str, list[object]]:
    """Return the parameters of mark_new_hours."""
    return {
        "project_ids": [project_id for project_id, _ in sums.hours],
        "hours": [hour for _, hour in sums.hours],
    }


async def upsert_logs(
    database: Database, logs: Sequence[IncomingLog], parts: Sequence[BatchPart]
) -> WriteResult:
    """Do what write_logs() does, whatever the logs were before."""
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
    rows = [unpack_tuple(log.packed_row, LOG_COLUMNS) for log in logs]
    values = dict(zip(_LOG_NAMES, map(list, zip(*rows, strict=True)), strict=True))
    written = await connection.fetch_one(_QUERIES["write_logs"], **values)
    return (written["stored_ids"] or (), written["replaced_count"]) if written is not None else ((), 0)

"""Rows as packed logs, for tests that write without a batch."""

from __future__ import annotations

from collections.abc import Sequence

from llm_observe.v1.log_pb2 import Log

from codec.extensions import add_up
from codec.packing import PackedLog
from storage.columns import LogRow
from storage.incoming import BatchReport
from storage.log_writes import WriteResult, upsert_logs, write_logs
from storage.pool import Database


def packed(row: LogRow) -> PackedLog:
    """Pack a row. Its minute follows its start_time, as a reader makes it."""
    minute = row.start_time.replace(second=0, microsecond=0)
    report = BatchReport(row.project_id, "", 0, row.receive_time, 1, 0, 0, "{}", "")
    return PackedLog(row._replace(minute=minute), report, Log(log_id=str(row.log_id)))


async def insert(database: Database, rows: Sequence[LogRow]) -> WriteResult:
    """Write rows as the worker does: try to insert all as new first."""
    return await write_logs(database, [packed(row) for row in rows], (), add_up)


async def upsert(database: Database, rows: Sequence[LogRow]) -> WriteResult:
    """Write rows that may exist already."""
    return await upsert_logs(database, [packed(row) for row in rows], ())

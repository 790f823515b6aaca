"""The task that stores a batch: decode, redact again, write with rollups in one transaction."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from google.protobuf.message import DecodeError

from codec.reader import BatchReader
from storage.errors import StorageError, StorageUnavailable
from storage.incoming import BatchPart
from storage.log_writes import WriteResult, write_logs
from telemetry import tracing
from worker.queue.coalescer import Coalescer
from worker.tasks.dead_letters import FOREIGN_LOG, REFUSED, DeadLetterWriter
from worker.tasks.write_observation import observed_write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from llm_observe.redaction import Redactor

    from analytics.pricing.book import PriceBook
    from codec.batch import AcceptedBatch, ArrivedLog
    from storage.incoming import BatchReport
    from storage.pool import Database
    from worker.queue.live import LivePublisher
    from worker.tasks.dead_letter_quota import DeadLetterQuota

logger = structlog.get_logger("worker.tasks.write_logs")
_MERGED_ROWS: Final = 5_000
"""Rows of one transaction, but for a single larger message."""
_TRANSACTIONS: Final = 2
"""Transactions at once: while Postgres works on one, the next is made ready."""


class _Work(NamedTuple):
    """What is written together."""

    logs: list[ArrivedLog]
    reports: list[BatchReport]
    """Every batch, also one all of whose logs were rejected."""
    traceparents: list[str]
    """The sampled spans that the batches come from."""

    def parts(self) -> list[BatchPart]:
        """Return which logs belong to which batch."""
        logs: dict[int, list[ArrivedLog]] = {id(report): [] for report in self.reports}
        for log in self.logs:
            logs[id(log.batch)].append(log)
        return [BatchPart(report, logs[id(report)]) for report in self.reports]

    def halves(self) -> tuple[_Work, _Work]:
        """Return both halves; the ledger adds them up again."""
        middle = len(self.logs) // 2
        return self._replace(logs=self.logs[:middle]), self._replace(logs=self.logs[middle:])


class LogWriter:
    """Stores batches in large transactions, and dead-letters what cannot be stored."""

    def __init__(
        self,
        database: Database,
        redactor: Redactor,
        prices: PriceBook,
        quota: DeadLetterQuota,
        live: LivePublisher | None = None,
    ) -> None:
        self._database = database
        self._reader = BatchReader(redactor, prices)
        self._dead_letters = DeadLetterWriter(database, self._reader, quota)
        self._live = live
        self._coalescer: Coalescer[_Work, WriteResult] = Coalescer(
            self._write_merged,
            group_size=_MERGED_ROWS,
            waiting_size=sys.maxsize,
            max_concurrency=_TRANSACTIONS,
        )

    async def write_batches(self, batches: Sequence[AcceptedBatch]) -> None:
        """Store the logs of a queue message. Repeating changes nothing.

        Raises:
            StorageUnavailable: Not everything was stored; try again.
        """
        work = await self._read(batches)
        try:
            result = await self._coalescer.put(work, len(work.logs))
        except StorageUnavailable:
            raise
        except StorageError:  # some batch of the group was refused: each is written alone
            result = await self._write(work)
        logger.info(
            "batch written",
            stored=result.stored,
            replaced=result.replaced,
            stale=result.stale,
            **_trace_of(work.traceparents),
        )

    async def dead_letter_message(self, data: bytes, reason: str, attempts: int) -> None:
        """Store a queue message as dead letters.

        Raises:
            StorageError: It was not stored; the message must not be acknowledged.
        """
        await self._dead_letters.add_message(data, reason, attempts)

    async def _read(self, batches: Sequence[AcceptedBatch]) -> _Work:
        """Return the logs of batches; dead-letter what cannot be read, which no retry would change."""
        work = _Work([], [], [])
        for batch in batches:
            try:
                found = self._reader.read(batch)
            except DecodeError:
                await self._dead_letters.add_batch(batch, "unparsable")
                continue
            if found.invalid:
                await self._dead_letters.add_invalid(found.invalid, found.report)
            work.reports.append(found.report)
            work.logs.extend(found.logs)
            work.traceparents.extend(tracing.parse_traceparents(batch.traceparents))
        return work

    async def _write_merged(self, group: Sequence[_Work]) -> Sequence[WriteResult]:
        logs = [log for work in group for log in work.logs]
        reports = [report for work in group for report in work.reports]
        traceparents = [traceparent for work in group for traceparent in work.traceparents]
        result = await self._write_rows(_Work(logs, reports, traceparents))
        # The numbers are the group's: they are for the log line, which the first one writes.
        return [result, *(WriteResult() for _ in group[1:])]

    async def _write(self, work: _Work) -> WriteResult:
        """Write logs; halve what the database refuses until the culprit stands alone."""
        try:
            return await self._write_rows(work)
        except StorageUnavailable:
            raise
        except StorageError as error:
            if len(work.logs) <= 1:
                await self._dead_letters.add_logs(work.logs, work.parts(), reason=REFUSED, message=str(error))
                return WriteResult()
            first, second = work.halves()
            return (await self._write(first)).plus(await self._write(second))

    async def _write_rows(self, work: _Work) -> WriteResult:
        with observed_write(len(work.logs), len(work.reports), work.traceparents) as observation:
            result = await write_logs(self._database, work.logs, work.parts(), observation.add_up)
            observation.note(result)
        if self._live is not None:
            self._live.publish(
                work.logs if result.stored == len(work.logs) else _only(work.logs, result.new_ids)
            )
        if result.foreign_ids:
            foreign = _only(work.logs, result.foreign_ids)
            await self._dead_letters.add_logs(
                foreign, (), reason=FOREIGN_LOG, message="the log belongs to another project"
            )
        return result


def _trace_of(traceparents: Sequence[str]) -> dict[str, str]:
    """Return the trace to name in the log, if there is just one."""
    trace_ids = {traceparent.split("-")[1] for traceparent in traceparents}
    return {"trace_id": trace_ids.pop()} if len(trace_ids) == 1 else {}


def _only(logs: Sequence[ArrivedLog], ids: frozenset[UUID]) -> list[ArrivedLog]:
    return [log for log in logs if log.log_id in ids]

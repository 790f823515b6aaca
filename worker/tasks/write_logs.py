"""The task that stores a batch: decode, redact again, write with rollups in one transaction."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from google.protobuf.json_format import MessageToJson

from codec.reader import BatchReader, add_up
from storage.dead_letters import UNPARSABLE, NewDeadLetter, add_dead_letters
from storage.errors import StorageError, StorageUnavailable
from storage.ledger import BatchPart, BatchReport
from storage.log_writes import WriteResult, write_logs
from worker.queue.coalescer import Coalescer
from worker.queue.message import read_message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from google.protobuf.message import Message
    from llm_observe.redaction import Redactor

    from codec.batch import AcceptedBatch
    from codec.reader import ArrivedLog
    from storage.pool import Database
    from worker.queue.live import LivePublisher
    from worker.tasks.dead_letter_quota import DeadLetterQuota

logger = structlog.get_logger("worker.tasks.write_logs")
_MERGED_ROWS: Final = 5_000
"""Rows of one transaction, but for a single larger message."""
_TRANSACTIONS: Final = 2
"""Transactions in work at once: while Postgres has one, the next is made ready."""


class _Described(NamedTuple):
    """A batch that is given up, as it is kept."""

    original: bytes
    report: BatchReport
    log_count: int
    payload: str


class _Work(NamedTuple):
    """What is written together."""

    logs: list[ArrivedLog]
    reports: list[BatchReport]
    """Every batch, also one all of whose logs were rejected."""

    def parts(self) -> list[BatchPart]:
        """Return which logs belong to which batch."""
        logs: dict[int, list[ArrivedLog]] = {id(report): [] for report in self.reports}
        for log in self.logs:
            logs[id(log.batch)].append(log)
        return [BatchPart(report, logs[id(report)]) for report in self.reports]

    def halves(self) -> tuple[_Work, _Work]:
        """Return both halves; the ledger adds them up again."""
        middle = len(self.logs) // 2
        return _Work(self.logs[:middle], self.reports), _Work(self.logs[middle:], self.reports)


class LogWriter:
    """Stores batches in large transactions, and what cannot be stored as dead letters."""

    def __init__(
        self,
        database: Database,
        redactor: Redactor,
        allowance: DeadLetterQuota,
        live: LivePublisher | None = None,
    ) -> None:
        self._database = database
        self._reader = BatchReader(redactor)
        self._allowance = allowance
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
            StorageUnavailable: Nothing was stored; try again.
        """
        work = _Work([], [])
        for batch in batches:
            report, logs = self._reader.read(batch)
            work.reports.append(report)
            work.logs.extend(logs)
        try:
            result = await self._coalescer.put(work, len(work.logs))
        except StorageUnavailable:
            raise
        except StorageError:  # some batch of the group was refused: each is written alone
            result = await self._write(work)
        logger.info("batch written", stored=result.stored, replaced=result.replaced, stale=result.stale)

    async def _write_merged(self, group: Sequence[_Work]) -> Sequence[WriteResult]:
        logs = [log for work in group for log in work.logs]
        reports = [report for work in group for report in work.reports]
        result = await self._write_rows(_Work(logs, reports))
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
                await self._give_up(work.logs, work.parts(), reason="refused", why=str(error))
                return WriteResult()
            first, second = work.halves()
            return (await self._write(first)).plus(await self._write(second))

    async def _write_rows(self, work: _Work) -> WriteResult:
        result = await write_logs(self._database, work.logs, work.parts(), add_up)
        if self._live is not None:
            self._live.publish(
                work.logs if result.stored == len(work.logs) else _only(work.logs, result.new_ids)
            )
        if result.foreign_ids:
            foreign = _only(work.logs, result.foreign_ids)
            await self._give_up(foreign, (), reason="foreign_log", why="the log belongs to another project")
        return result

    async def _give_up(
        self, logs: Sequence[ArrivedLog], parts: Sequence[BatchPart], *, reason: str, why: str
    ) -> None:
        letters = [
            NewDeadLetter(
                project_id=one.batch.project_id,
                reason=reason,
                message=why,
                log_id=str(one.log_id),
                log_count=1,
                attempt_count=1,
                first_attempt_time=one.batch.receive_time,
                payload=_to_json(one.message()),
                producer_id=one.batch.producer_id,
                dedup_key=f"{reason}:{one.batch.project_id}:{one.log_id}:{one.batch.receive_time.isoformat()}",
            )
            for one in logs
        ]
        await self._bury(letters, parts)
        logger.warning("logs given up", reason=reason, count=len(letters))

    async def dead_letter_message(self, data: bytes, reason: str, attempts: int) -> None:
        """Store a queue message as dead letters, one a batch; one that cannot be read, as redacted text.

        Raises:
            StorageError: It was not stored; the message must not be acknowledged.
        """
        described = self._describe(data)
        letters = [
            NewDeadLetter(
                project_id=report.project_id,
                reason=reason,
                message=f"given up after {attempts} attempt{'' if attempts == 1 else 's'}",
                log_id="",
                log_count=log_count,
                attempt_count=attempts,
                first_attempt_time=report.receive_time,
                payload=payload,
                producer_id=report.producer_id,
                dedup_key=f"{reason}:{hashlib.sha256(original).hexdigest()}",
            )
            for original, report, log_count, payload in described
        ]
        await self._bury(letters, [BatchPart(one.report, ()) for one in described])
        logger.warning("message given up", reason=reason, count=len(letters), size_bytes=len(data))

    def _describe(self, data: bytes) -> list[_Described]:
        """Return what a message holds, as far as it can be read."""
        try:
            return [self._describe_batch(batch) for batch in read_message(data)]
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is kept as text
            text = self._reader.redact_text(data.decode("utf-8", "replace"), 2_000)
            nobody = BatchReport("default", "", 0, datetime.now(UTC), 0, 0, 0, "{}", "")
            return [_Described(data, nobody, 0, json.dumps({UNPARSABLE: text}))]

    def _describe_batch(self, batch: AcceptedBatch) -> _Described:
        report, request = self._reader.read_request(batch)
        return _Described(
            original=batch.payload + str(batch.receive_time_us).encode(),
            report=report,
            log_count=len(request.logs),  # of a batch that was taken apart, less than the batch's
            payload=_to_json(request),
        )

    async def _bury(self, letters: Sequence[NewDeadLetter], parts: Sequence[BatchPart]) -> None:
        self._allowance.take(max(len(letters), sum(letter.log_count for letter in letters)))
        await add_dead_letters(self._database, letters, parts)


def _only(logs: Sequence[ArrivedLog], ids: frozenset[UUID]) -> list[ArrivedLog]:
    return [log for log in logs if log.log_id in ids]


def _to_json(message: Message) -> str:
    return MessageToJson(message, indent=None, preserving_proto_field_name=True)

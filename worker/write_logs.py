"""The task that stores a batch: decode, redact again, write with rollups in one transaction."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from google.protobuf.json_format import MessageToJson
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from storage.dead_letters import UNPARSABLE, NewDeadLetter, add_dead_letters
from storage.errors import StorageError, StorageUnavailable
from storage.ledger import BatchPart, BatchReport
from storage.logs import WriteResult, write_logs
from worker.coalescer import Coalescer
from worker.queue import read_message
from worker.rows import to_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from llm_observe.redaction import Redactor
    from llm_observe.v1.ingest_service_pb2 import ProducerReport
    from llm_observe.v1.log_pb2 import Log

    from storage.logs import LogRow
    from storage.pool import Database
    from worker.allowance import Allowance
    from worker.live import LivePublisher
    from worker.queue import AcceptedBatch

log = structlog.get_logger("worker.write_logs")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MERGED_ROWS: Final = 2_000
"""Rows of one transaction, but for a single larger message."""
_TRANSACTIONS: Final = 2
"""Transactions in work at once: while Postgres has one, the next is made ready."""


class _Described(NamedTuple):
    """A batch that is given up, as it is kept."""

    original: bytes
    report: BatchReport
    log_count: int
    payload: str


class _Arrived(NamedTuple):
    """A log with the batch it came in, and its row."""

    message: Log
    report: BatchReport
    row: LogRow


class _Work(NamedTuple):
    """What is written together."""

    logs: list[_Arrived]
    reports: list[BatchReport]
    """Every batch, also one all of whose logs were rejected."""

    def parts(self) -> list[BatchPart]:
        """Return which logs belong to which batch."""
        ids: dict[BatchReport, list[UUID]] = {report: [] for report in self.reports}
        for arrived in self.logs:
            ids[arrived.report].append(arrived.row.log_id)
        return [BatchPart(report, log_ids) for report, log_ids in ids.items()]

    def halves(self) -> tuple[_Work, _Work]:
        """Return both halves; the ledger adds them up again."""
        middle = len(self.logs) // 2
        return _Work(self.logs[:middle], self.reports), _Work(self.logs[middle:], self.reports)


class LogWriter:
    """Stores batches in large transactions, and what cannot be stored as dead letters."""

    def __init__(
        self, database: Database, redactor: Redactor, allowance: Allowance, live: LivePublisher | None = None
    ) -> None:
        self._database = database
        self._redactor = redactor
        self._allowance = allowance
        self._live = live
        self._coalescer: Coalescer[_Work, WriteResult] = Coalescer(
            self._write_merged, group_size=_MERGED_ROWS, waiting_size=sys.maxsize, lanes=_TRANSACTIONS
        )

    async def write_batches(self, batches: Sequence[AcceptedBatch]) -> None:
        """Store the logs of a queue message. Repeating changes nothing.

        Raises:
            StorageUnavailable: Nothing was stored; try again.
        """
        work = _Work([], [])
        for batch in batches:
            self._read(batch, work)
        try:
            result = await self._coalescer.put(work, len(work.logs))
        except StorageUnavailable:
            raise
        except StorageError:  # some batch of the group was refused: each is written alone
            result = await self._write(work)
        log.info("batch written", stored=result.stored, replaced=result.replaced, stale=result.stale)

    def _read(self, batch: AcceptedBatch, work: _Work) -> None:
        request = IngestLogsRequest.FromString(batch.payload)
        report = self._to_report(batch, request.producer)
        work.reports.append(report)
        for message in request.logs:
            self._redactor.redact_log(message)
            row = to_row(message, project_id=report.project_id, receive_time=report.receive_time)
            work.logs.append(_Arrived(message, report, row))

    def _to_report(self, batch: AcceptedBatch, producer: ProducerReport) -> BatchReport:
        dropped = {self._redactor.preview(key, 64): count for key, count in producer.dropped_counts.items()}
        return BatchReport(
            project_id=batch.project_id,
            producer_id=producer.producer_id,
            batch_number=producer.batch_number,
            receive_time=_EPOCH + timedelta(microseconds=batch.receive_time_us),
            log_count=batch.log_count,
            rejected_count=batch.rejected_count,
            sent_total=producer.sent_count,
            dropped_totals=json.dumps(dropped),
            sdk=self._redactor.preview(f"{producer.sdk_name} {producer.sdk_version}".strip(), 130),
        )

    async def _write_merged(self, group: Sequence[_Work]) -> Sequence[WriteResult]:
        logs = [arrived for work in group for arrived in work.logs]
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
        result = await write_logs(self._database, [arrived.row for arrived in work.logs], work.parts())
        if self._live is not None:
            stored = [arrived for arrived in work.logs if arrived.row.log_id in result.new_ids]
            self._live.publish([(arrived.report.project_id, arrived.message) for arrived in stored])
        if result.foreign_ids:
            foreign = [arrived for arrived in work.logs if arrived.row.log_id in result.foreign_ids]
            await self._give_up(foreign, (), reason="foreign_log", why="the log belongs to another project")
        return result

    async def _give_up(
        self, logs: Sequence[_Arrived], parts: Sequence[BatchPart], *, reason: str, why: str
    ) -> None:
        letters = [
            NewDeadLetter(
                project_id=report.project_id,
                reason=reason,
                message=why,
                log_id=message.log_id,
                log_count=1,
                attempt_count=1,
                first_attempt_time=report.receive_time,
                payload=MessageToJson(message, indent=None, preserving_proto_field_name=True),
                producer_id=report.producer_id,
                dedup_key=f"{reason}:{report.project_id}:{message.log_id}:{report.receive_time.isoformat()}",
            )
            for message, report, _ in logs
        ]
        await self._bury(letters, parts)
        log.warning("logs given up", reason=reason, count=len(letters))

    async def give_up_message(self, data: bytes, reason: str, attempts: int) -> None:
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
        log.warning("message given up", reason=reason, count=len(letters), size_bytes=len(data))

    def _describe(self, data: bytes) -> list[_Described]:
        """Return what a message holds, as far as it can be read."""
        try:
            return [self._describe_batch(batch) for batch in read_message(data)]
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is kept as text
            text = self._redactor.preview(data.decode("utf-8", "replace"), 2_000)
            nobody = BatchReport("default", "", 0, datetime.now(UTC), 0, 0, 0, "{}", "")
            return [_Described(data, nobody, 0, json.dumps({UNPARSABLE: text}))]

    def _describe_batch(self, batch: AcceptedBatch) -> _Described:
        request = IngestLogsRequest.FromString(batch.payload)
        for message in request.logs:
            self._redactor.redact_log(message)
        return _Described(
            original=batch.payload + str(batch.receive_time_us).encode(),
            report=self._to_report(batch, request.producer),
            log_count=len(request.logs),  # of a batch that was taken apart, less than the batch's
            payload=MessageToJson(request, indent=None, preserving_proto_field_name=True),
        )

    async def _bury(self, letters: Sequence[NewDeadLetter], parts: Sequence[BatchPart]) -> None:
        self._allowance.take(max(len(letters), sum(letter.log_count for letter in letters)))
        await add_dead_letters(self._database, letters, parts)

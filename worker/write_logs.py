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
from storage.logs import WriteResult, write_logs
from worker.coalescer import Coalescer
from worker.queue import read_message
from worker.rows import to_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.redaction import Redactor
    from llm_observe.v1.log_pb2 import Log

    from storage.logs import LogRow
    from storage.pool import Database
    from worker.allowance import Allowance
    from worker.queue import AcceptedBatch

log = structlog.get_logger("worker.write_logs")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MERGED_ROWS: Final = 2_000
"""Rows of one transaction, but for a single larger message."""
_TRANSACTIONS: Final = 2
"""Transactions in work at once: while Postgres has one, the next is made ready."""


class _Origin(NamedTuple):
    """Where a log comes from."""

    project_id: str
    receive_time: datetime
    producer_id: str


class _Described(NamedTuple):
    """A batch that is given up, as it is kept."""

    original: bytes
    project_id: str
    receive_time: datetime
    producer_id: str
    log_count: int
    payload: str


class _Arrived(NamedTuple):
    """A log with its origin and its row."""

    message: Log
    origin: _Origin
    row: LogRow


class LogWriter:
    """Stores batches in large transactions, and what cannot be stored as dead letters."""

    def __init__(self, database: Database, redactor: Redactor, allowance: Allowance) -> None:
        self._database = database
        self._redactor = redactor
        self._allowance = allowance
        self._coalescer: Coalescer[list[_Arrived], WriteResult] = Coalescer(
            self._write_merged, group_size=_MERGED_ROWS, waiting_size=sys.maxsize, lanes=_TRANSACTIONS
        )

    async def write_batches(self, batches: Sequence[AcceptedBatch]) -> None:
        """Store the logs of a queue message. Repeating changes nothing.

        Raises:
            StorageUnavailable: Nothing was stored; try again.
        """
        arrived = [entry for batch in batches for entry in self._read(batch)]
        try:
            result = await self._coalescer.put(arrived, len(arrived))
        except StorageUnavailable:
            raise
        except StorageError:  # some batch of the group was refused: each is written alone
            result = await self._write(arrived)
        log.info("batch written", stored=result.stored, replaced=result.replaced, stale=result.stale)

    def _read(self, batch: AcceptedBatch) -> list[_Arrived]:
        request = IngestLogsRequest.FromString(batch.payload)
        origin = _Origin(
            batch.project_id,
            _EPOCH + timedelta(microseconds=batch.receive_time_us),
            request.producer.producer_id,
        )
        arrived = []
        for message in request.logs:
            self._redactor.redact_log(message)
            row = to_row(message, project_id=origin.project_id, receive_time=origin.receive_time)
            arrived.append(_Arrived(message, origin, row))
        return arrived

    async def _write_merged(self, group: Sequence[list[_Arrived]]) -> Sequence[WriteResult]:
        result = await self._write_rows([entry for arrived in group for entry in arrived])
        # The numbers are the group's: they are for the log line, which the first one writes.
        return [result, *(WriteResult() for _ in group[1:])]

    async def _write(self, arrived: Sequence[_Arrived]) -> WriteResult:
        """Write logs; halve what the database refuses until the culprit stands alone."""
        try:
            return await self._write_rows(arrived)
        except StorageUnavailable:
            raise
        except StorageError as error:
            if len(arrived) == 1:
                await self._give_up(arrived, reason="refused", why=str(error))
                return WriteResult()
            middle = len(arrived) // 2
            first = await self._write(arrived[:middle])
            return first.plus(await self._write(arrived[middle:]))

    async def _write_rows(self, arrived: Sequence[_Arrived]) -> WriteResult:
        result = await write_logs(self._database, [entry.row for entry in arrived])
        if result.foreign_ids:
            foreign = [entry for entry in arrived if entry.row.log_id in result.foreign_ids]
            await self._give_up(foreign, reason="foreign_log", why="the log belongs to another project")
        return result

    async def _give_up(self, arrived: Sequence[_Arrived], *, reason: str, why: str) -> None:
        letters = [
            NewDeadLetter(
                project_id=origin.project_id,
                reason=reason,
                message=why,
                log_id=message.log_id,
                log_count=1,
                attempt_count=1,
                first_attempt_time=origin.receive_time,
                payload=MessageToJson(message, indent=None, preserving_proto_field_name=True),
                producer_id=origin.producer_id,
                dedup_key=f"{reason}:{origin.project_id}:{message.log_id}:{origin.receive_time.isoformat()}",
            )
            for message, origin, _ in arrived
        ]
        await self._bury(letters)
        log.warning("logs given up", reason=reason, count=len(letters))

    async def give_up_message(self, data: bytes, reason: str, attempts: int) -> None:
        """Store a queue message as dead letters, one a batch; one that cannot be read, as redacted text.

        Raises:
            StorageError: It was not stored; the message must not be acknowledged.
        """
        message = f"given up after {attempts} attempt{'' if attempts == 1 else 's'}"
        letters = [
            NewDeadLetter(
                project_id=described.project_id,
                reason=reason,
                message=message,
                log_id="",
                log_count=described.log_count,
                attempt_count=attempts,
                first_attempt_time=described.receive_time,
                payload=described.payload,
                producer_id=described.producer_id,
                dedup_key=f"{reason}:{hashlib.sha256(described.original).hexdigest()}",
            )
            for described in self._describe(data)
        ]
        await self._bury(letters)
        log.warning("message given up", reason=reason, count=len(letters), size_bytes=len(data))

    def _describe(self, data: bytes) -> list[_Described]:
        """Return what a message holds, as far as it can be read."""
        try:
            return [self._describe_batch(batch) for batch in read_message(data)]
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is kept as text
            text = self._redactor.preview(data.decode("utf-8", "replace"), 2_000)
            payload = json.dumps({UNPARSABLE: text})
            return [_Described(data, "default", datetime.now(UTC), "", 0, payload)]

    def _describe_batch(self, batch: AcceptedBatch) -> _Described:
        request = IngestLogsRequest.FromString(batch.payload)
        for message in request.logs:
            self._redactor.redact_log(message)
        return _Described(
            original=batch.payload + str(batch.receive_time_us).encode(),
            project_id=batch.project_id,
            receive_time=_EPOCH + timedelta(microseconds=batch.receive_time_us),
            producer_id=request.producer.producer_id,
            log_count=len(request.logs),
            payload=MessageToJson(request, indent=None, preserving_proto_field_name=True),
        )

    async def _bury(self, letters: Sequence[NewDeadLetter]) -> None:
        self._allowance.take(max(len(letters), sum(letter.log_count for letter in letters)))
        await add_dead_letters(self._database, letters)

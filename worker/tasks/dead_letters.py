"""Dead-letters what cannot be stored: single logs, and batches or messages that cannot be read."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from google.protobuf import text_format
from google.protobuf.json_format import MessageToJson, SerializeToJsonError
from google.protobuf.message import DecodeError
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport

from codec.errors import InvalidBatch
from storage.api_keys import DEFAULT_PROJECT
from storage.dead_letters import (
    FOREIGN_LOG,
    INVALID_CONTENT,
    REFUSED,
    UNPARSABLE_TEXT,
    NewDeadLetter,
    add_dead_letters,
)
from storage.incoming import BatchPart, BatchReport
from telemetry import metrics
from worker.queue.message import read_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from codec.batch import AcceptedBatch, ArrivedLog, InvalidMessage
    from codec.reader import BatchReader
    from storage.pool import Database
    from worker.tasks.dead_letter_quota import DeadLetterQuota

__all__ = ["FOREIGN_LOG", "REFUSED", "DeadLetterWriter"]

logger = structlog.get_logger("worker.tasks.dead_letters")

_MAX_TEXT_CHARS: Final = 2_000


class _Described(NamedTuple):
    """A batch as it is kept."""

    original: bytes
    report: BatchReport
    log_count: int
    payload: str


class DeadLetterWriter:
    """Stores dead letters, within the quota."""

    def __init__(self, database: Database, reader: BatchReader, quota: DeadLetterQuota) -> None:
        self._database = database
        self._reader = reader
        self._quota = quota

    async def add_logs(
        self, logs: Sequence[ArrivedLog], parts: Sequence[BatchPart], *, reason: str, message: str
    ) -> None:
        """Store logs, each as a dead letter of its own, and the ledger of their batches.

        Raises:
            StorageError: Nothing was stored.
        """
        letters = [
            NewDeadLetter(
                project_id=log.batch.project_id,
                reason=reason,
                message=message,
                log_id=str(log.log_id),
                log_count=1,
                attempt_count=1,
                first_attempt_time=log.batch.receive_time,
                payload=_to_json(log.message()),
                producer_id=log.batch.producer_id,
                dedup_key=f"{reason}:{log.batch.project_id}:{log.log_id}:{log.batch.receive_time.isoformat()}",
            )
            for log in logs
        ]
        await self._add(letters, parts)
        logger.warning("logs dead-lettered", reason=reason, count=len(letters))

    async def add_invalid(self, invalid: Sequence[InvalidMessage], report: BatchReport) -> None:
        """Store logs of a batch that no row can hold, each as a batch of its own.

        Raises:
            StorageError: Nothing was stored.
        """
        producer = ProducerReport(producer_id=report.producer_id)  # batch 0 of the ledger
        letters = []
        for message, violation in invalid:
            request = IngestLogsRequest(logs=[message], producer=producer)
            original = (
                request.SerializeToString(deterministic=True) + report.receive_time.isoformat().encode()
            )
            described = _Described(original, report, 1, _to_json(request))
            letters.append(_letter_of(described, INVALID_CONTENT, 1, violation))
        await self._add(letters, ())
        logger.warning("logs dead-lettered", reason=INVALID_CONTENT, count=len(letters))

    async def add_batch(self, batch: AcceptedBatch, reason: str) -> None:
        """Store a batch that cannot be read.

        Raises:
            StorageError: Nothing was stored.
        """
        await self._add_described([self._describe_batch(batch)], reason, 1)

    async def add_message(self, data: bytes, reason: str, attempts: int) -> None:
        """Store a queue message, one dead letter a batch; one that cannot be read, as redacted text.

        Raises:
            StorageError: Nothing was stored; the message must not be acknowledged.
        """
        try:
            described = [self._describe_batch(batch) for batch in read_message(data)]
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is kept as text
            described = [self._describe_text(data, _unknown_report())]
        await self._add_described(described, reason, attempts)

    async def _add_described(self, described: Sequence[_Described], reason: str, attempts: int) -> None:
        message = f"not stored after {attempts} attempt{'' if attempts == 1 else 's'}"
        letters = [_letter_of(batch, reason, attempts, message) for batch in described]
        await self._add(letters, [BatchPart(batch.report, ()) for batch in described])
        size_bytes = sum(len(batch.original) for batch in described)
        logger.warning("batches dead-lettered", reason=reason, count=len(letters), size_bytes=size_bytes)

    async def _add(self, letters: Sequence[NewDeadLetter], parts: Sequence[BatchPart]) -> None:
        self._quota.spend(max(len(letters), sum(letter.log_count for letter in letters)))
        await add_dead_letters(self._database, letters, parts)
        for letter in letters:
            metrics.DEAD_LETTERED.child(letter.reason).record(1)

    def _describe_batch(self, batch: AcceptedBatch) -> _Described:
        """Describe a batch as far as it can be read."""
        original = batch.payload + str(batch.receive_time_us).encode()
        try:
            report, request = self._reader.read_request(batch)
        except InvalidBatch:
            return self._describe_text(original, _unknown_report())
        except DecodeError:
            return self._describe_text(original, self._reader.read_head(batch))
        # A batch that was taken apart has fewer logs than its head says.
        return _Described(original, report, len(request.logs), _to_json(request))

    def _describe_text(self, data: bytes, report: BatchReport) -> _Described:
        text = self._reader.redact_text(data.decode("utf-8", "replace"), _MAX_TEXT_CHARS)
        return _Described(data, report, 0, json.dumps({UNPARSABLE_TEXT: text}))


def _letter_of(batch: _Described, reason: str, attempts: int, message: str) -> NewDeadLetter:
    return NewDeadLetter(
        project_id=batch.report.project_id,
        reason=reason,
        message=message,
        log_id="",
        log_count=batch.log_count,
        attempt_count=attempts,
        first_attempt_time=batch.report.receive_time,
        payload=batch.payload,
        producer_id=batch.report.producer_id,
        dedup_key=f"{reason}:{hashlib.sha256(batch.original).hexdigest()}",
    )


def _unknown_report() -> BatchReport:
    return BatchReport(DEFAULT_PROJECT, "", 0, datetime.now(UTC), 0, 0, 0, "{}", "")


def _to_json(message: Message) -> str:
    """Return a redacted message as JSON that Postgres can hold."""
    try:
        text = MessageToJson(message, indent=None, preserving_proto_field_name=True)
    except (SerializeToJsonError, ValueError):  # a time or a duration that JSON has no form for
        return json.dumps({UNPARSABLE_TEXT: text_format.MessageToString(message)[:_MAX_TEXT_CHARS]})
    return text.replace("\\u0000", "\\ufffd")  # ids are not redacted, so they may hold what jsonb refuses

"""The task that stores a batch: decode, redact again, write with rollups in one transaction."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from google.protobuf.json_format import MessageToJson
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from storage.dead_letters import NewDeadLetter, add_dead_letters
from storage.errors import StorageError, StorageUnavailable
from storage.logs import WriteResult, write_logs
from worker.rows import to_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.redaction import Redactor
    from llm_observe.v1.log_pb2 import Log

    from storage.pool import Database

log = structlog.get_logger("worker.write_logs")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Origin(NamedTuple):
    """Where a batch comes from."""

    project_id: str
    receive_time: datetime
    producer_id: str


class LogWriter:
    """Stores batches, and what cannot be stored as dead letters."""

    def __init__(self, database: Database, redactor: Redactor) -> None:
        self._database = database
        self._redactor = redactor

    async def write_batch(self, batch: str, project_id: str, receive_time_us: int) -> None:
        """Store one serialized IngestLogsRequest, given as base64 text. Repeating changes nothing.

        Raises:
            StorageUnavailable: Nothing was stored; try again.
        """
        request = IngestLogsRequest.FromString(base64.b64decode(batch, validate=True))
        for message in request.logs:
            self._redactor.redact_log(message)
        origin = _Origin(
            project_id, _EPOCH + timedelta(microseconds=receive_time_us), request.producer.producer_id
        )
        result = await self._write(list(request.logs), origin)
        log.info("batch written", stored=result.stored, replaced=result.replaced, stale=result.stale)

    async def _write(self, logs: Sequence[Log], origin: _Origin) -> WriteResult:
        """Write logs; halve what the database refuses until the culprit stands alone."""
        rows = [
            to_row(message, project_id=origin.project_id, receive_time=origin.receive_time)
            for message in logs
        ]
        try:
            result = await write_logs(self._database, rows)
        except StorageUnavailable:
            raise
        except StorageError as error:
            if len(logs) == 1:
                await self._give_up(logs, origin, reason="refused", why=str(error))
                return WriteResult()
            middle = len(logs) // 2
            first = await self._write(logs[:middle], origin)
            return first.plus(await self._write(logs[middle:], origin))
        if result.foreign_ids:
            ids = {str(log_id) for log_id in result.foreign_ids}
            foreign = [message for message in logs if message.log_id.lower() in ids]
            await self._give_up(
                foreign, origin, reason="foreign_log", why="the log belongs to another project"
            )
        return result

    async def _give_up(self, logs: Sequence[Log], origin: _Origin, *, reason: str, why: str) -> None:
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
            for message in logs
        ]
        await add_dead_letters(self._database, letters)
        log.warning("logs given up", reason=reason, count=len(letters))

    async def give_up_message(self, data: bytes, reason: str, attempts: int) -> None:
        """Store a whole queue message as a dead letter; one that cannot be read, as redacted text.

        Raises:
            StorageError: It was not stored; the message must not be acknowledged.
        """
        payload, project_id, count, producer_id = self._describe(data)
        letter = NewDeadLetter(
            project_id=project_id,
            reason=reason,
            message=f"given up after {attempts} attempt{'' if attempts == 1 else 's'}",
            log_id="",
            log_count=count,
            attempt_count=attempts,
            first_attempt_time=datetime.now(UTC),
            payload=payload,
            producer_id=producer_id,
            dedup_key=f"{reason}:{hashlib.sha256(data).hexdigest()}",
        )
        await add_dead_letters(self._database, [letter])
        log.warning("message given up", reason=reason, count=count, size_bytes=len(data))

    def _describe(self, data: bytes) -> tuple[str, str, int, str]:
        """Return redacted JSON, project, number of logs and producer, as far as they can be read."""
        try:
            arguments = json.loads(data)["kwargs"]
            request = IngestLogsRequest.FromString(base64.b64decode(arguments["batch"], validate=True))
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is kept as text
            text = self._redactor.preview(data.decode("utf-8", "replace"), 2_000)
            return json.dumps({"unparsable": text}), "default", 0, ""
        for message in request.logs:
            self._redactor.redact_log(message)
        payload = MessageToJson(request, indent=None, preserving_proto_field_name=True)
        project_id = str(arguments.get("project_id", "default"))
        return payload, project_id, len(request.logs), request.producer.producer_id

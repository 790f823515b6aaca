"""A batch as it comes from the queue: its logs, redacted and ready to be stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from codec.errors import InvalidBatch
from codec.rows import to_row
from codec.rules import is_uuid
from storage.api_keys import PROJECT_ID
from storage.ledger import BatchReport
from storage.log_writes import IncomingLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_observe.redaction import Redactor
    from llm_observe.v1.ingest_service_pb2 import ProducerReport
    from llm_observe.v1.log_pb2 import Log

    from codec.batch import AcceptedBatch
    from storage.log_writes import Sums
    from storage.logs import LogRow

add_up: Callable[[Sequence[ArrivedLog]], Sums] | None
other_fields: Callable[[bytes], bytes | None] | None
read_logs: Callable[..., Sequence[ArrivedLog]] | None
try:
    from codec._reader import add_up, other_fields, read_logs
except ImportError:  # no C compiler when this was installed
    add_up = other_fields = read_logs = None

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_RECEIVE_US: Final = 253_402_300_799_999_999
"""The end of year 9999; a bigint holds counts up to this, too."""


class ArrivedLog(IncomingLog, Protocol):
    """A redacted log of a batch."""

    @property
    def batch(self) -> BatchReport:
        """The batch it came in."""

    def message(self) -> Log:
        """Return the log, redacted."""


class ParsedLog:
    """A log read as a message, where there is nothing compiled or it would not have it."""

    packed_row = None
    packed_key = None

    def __init__(self, message: Log, batch: BatchReport) -> None:
        self._message = message
        self._row = to_row(message, project_id=batch.project_id, receive_time=batch.receive_time)
        self.batch = batch
        self.log_id = self._row.log_id
        self.project_id = self._row.project_id
        self.start_time = self._row.start_time
        self.receive_time = self._row.receive_time

    def message(self) -> Log:
        """Return the log, redacted."""
        return self._message

    def to_row(self) -> LogRow:
        """Return the row."""
        return self._row


class BatchReader:
    """Reads batches. The worker's choke point of redaction: what leaves here is redacted."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def read(self, batch: AcceptedBatch) -> tuple[BatchReport, Sequence[ArrivedLog]]:
        """Return the batch's report and its logs.

        Raises:
            google.protobuf.message.DecodeError: The payload is no IngestLogsRequest, or a log or the batch's
                head holds a value that cannot be stored.
        """
        others = other_fields(batch.payload) if other_fields is not None else None
        if others is None or read_logs is None:
            report, request = self.read_request(batch)
            return report, [ParsedLog(message, report) for message in request.logs]
        report = self._report_of(batch, IngestLogsRequest.FromString(others).producer)
        logs = read_logs(batch.payload, report, self._redactor, lambda message: ParsedLog(message, report))
        return report, logs

    def redact_text(self, text: str, limit: int) -> str:
        """Return a text that is no log's, redacted and cut."""
        return self._redactor.preview(text, limit)

    def read_request(self, batch: AcceptedBatch) -> tuple[BatchReport, IngestLogsRequest]:
        """Return the batch's report and the batch itself, redacted.

        Raises:
            google.protobuf.message.DecodeError: The payload is no IngestLogsRequest.
        """
        request = IngestLogsRequest.FromString(batch.payload)
        for message in request.logs:
            self._redactor.redact_log(message)
        return self._report_of(batch, request.producer), request

    def _report_of(self, batch: AcceptedBatch, producer: ProducerReport) -> BatchReport:
        # Without a valid id it counts for nobody; the server refuses any other.
        known = is_uuid(producer.producer_id) and producer.batch_number >= 0
        dropped = {self._redactor.preview(key, 64): count for key, count in producer.dropped_counts.items()}
        return BatchReport(
            project_id=batch.project_id,
            producer_id=producer.producer_id if known else "",
            batch_number=producer.batch_number,
            receive_time=_receive_time(batch),
            log_count=batch.log_count,
            rejected_count=batch.rejected_count,
            sent_total=producer.sent_count,
            dropped_totals=json.dumps(dropped),
            sdk=self._redactor.preview(f"{producer.sdk_name} {producer.sdk_version}".strip(), 130),
        )


def _receive_time(batch: AcceptedBatch) -> datetime:
    """Return when a batch was accepted.

    Raises:
        InvalidBatch: Something in its head is not what a server writes.
    """
    _, project_id, receive_time_us, log_count, rejected_count = batch
    numbers = (receive_time_us, log_count, rejected_count)
    if not all(type(number) is int and 0 <= number <= _MAX_RECEIVE_US for number in numbers):
        raise InvalidBatch("a batch whose time or counts no server wrote")
    if not isinstance(project_id, str) or not PROJECT_ID.fullmatch(project_id):
        raise InvalidBatch("a batch whose project no server wrote")
    return _EPOCH + timedelta(microseconds=receive_time_us)

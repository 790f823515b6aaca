"""A batch as it comes from the queue: its logs, redacted and ready to be stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport

from codec.errors import InvalidBatch
from codec.extensions import read_batch
from codec.rules import is_uuid
from storage.api_keys import PROJECT_ID
from storage.incoming import BatchReport

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor

    from analytics.pricing.book import PriceBook
    from codec.batch import AcceptedBatch, ReadBatch

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_RECEIVE_US: Final = 253_402_300_799_999_999
"""The end of year 9999; a bigint holds counts up to this, too."""
_MAX_REASON_CHARS: Final = 64
_MAX_SDK_CHARS: Final = 130


class BatchReader:
    """Reads batches. The worker's choke point of redaction: what leaves here is redacted, and priced."""

    def __init__(self, redactor: Redactor, prices: PriceBook) -> None:
        self._redactor = redactor
        self._prices = prices

    def read(self, batch: AcceptedBatch) -> ReadBatch:
        """Return the batch's report and its logs.

        Raises:
            google.protobuf.message.DecodeError: The payload is no IngestLogsRequest, or the batch's head is
                not what a server writes.
        """
        return read_batch(batch.payload, self._redactor, self._prices, partial(self._report_of, batch))

    def read_head(self, batch: AcceptedBatch) -> BatchReport:
        """Return the report of a batch whose payload nobody can read.

        Raises:
            InvalidBatch: Its head is not what a server writes.
        """
        return self._report_of(batch, ProducerReport())

    def redact_text(self, text: str, limit: int) -> str:
        """Return a text that belongs to no log, redacted and cut."""
        return self._redactor.preview(text, limit)

    def read_request(self, batch: AcceptedBatch) -> tuple[BatchReport, IngestLogsRequest]:
        """Return the batch's report and the batch itself, redacted.

        Raises:
            google.protobuf.message.DecodeError: As for read().
        """
        request = IngestLogsRequest.FromString(batch.payload)
        for message in request.logs:
            self._redactor.redact_log(message)
        return self._report_of(batch, request.producer), request

    def _report_of(self, batch: AcceptedBatch, producer: ProducerReport) -> BatchReport:
        # Without a valid id it counts for nobody; the server refuses any other.
        known = is_uuid(producer.producer_id) and producer.batch_number >= 0
        redact = self._redactor.preview
        dropped = {
            redact(reason, _MAX_REASON_CHARS): count for reason, count in producer.dropped_counts.items()
        }
        return BatchReport(
            project_id=batch.project_id,
            producer_id=producer.producer_id if known else "",
            batch_number=producer.batch_number,
            receive_time=_receive_time(batch),
            log_count=batch.log_count,
            rejected_count=batch.rejected_count,
            sent_total=producer.sent_count,
            dropped_totals=json.dumps(dropped),
            sdk=redact(f"{producer.sdk_name} {producer.sdk_version}".strip(), _MAX_SDK_CHARS),
        )


def _receive_time(batch: AcceptedBatch) -> datetime:
    """Return when a batch was accepted.

    Raises:
        InvalidBatch: Something in its head is not what a server writes.
    """
    _, project_id, receive_time_us, log_count, rejected_count, traceparents = batch
    numbers = (receive_time_us, log_count, rejected_count)
    if not all(type(number) is int and 0 <= number <= _MAX_RECEIVE_US for number in numbers):
        raise InvalidBatch("a batch whose time or counts no server wrote")
    if type(project_id) is not str or not PROJECT_ID.fullmatch(project_id):
        raise InvalidBatch("a batch whose project no server wrote")
    if type(traceparents) is not str:
        raise InvalidBatch("a batch whose trace no server wrote")
    return _EPOCH + timedelta(microseconds=receive_time_us)

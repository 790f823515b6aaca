"""Reads batches and packs logs in plain Python: the twin of codec/_reader.pyx, and its slow path."""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING

from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from analytics.packed_counts import pack_buckets, pack_texts
from codec.batch import InvalidMessage, ReadBatch
from codec.errors import InvalidLog
from codec.rows import set_price, to_row
from storage.columns import DELTA_COLUMNS, KEY_COLUMNS, LOG_COLUMNS, ROLLUP_KEY, ROLLUP_SUMS
from storage.copy_format import pack_tuple
from storage.incoming import Sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from llm_observe.redaction import Redactor
    from llm_observe.v1.ingest_service_pb2 import ProducerReport
    from llm_observe.v1.log_pb2 import Log

    from analytics.pricing.book import PriceBook
    from storage.columns import LogRow
    from storage.incoming import BatchReport, IncomingLog, RollupKey

_PRICED = [each.name for each in ROLLUP_SUMS].index("priced_count")


class PackedLog:
    """A log that is ready to be stored; see codec.batch.ArrivedLog."""

    def __init__(self, row: LogRow, batch: BatchReport, message: Log) -> None:
        self.log_id = row.log_id
        self.project_id = row.project_id
        self.start_time = row.start_time
        self.receive_time = row.receive_time
        self.latency_bucket = row.latency_bucket
        self.ttft_bucket = row.ttft_bucket
        self.error_code = row.error_code if row.outcome == "error" else None
        self.packed_row = pack_tuple(row, LOG_COLUMNS)
        self.packed_key = pack_tuple([getattr(row, column.name) for column in KEY_COLUMNS], KEY_COLUMNS)
        self.rollup_key: RollupKey = tuple(getattr(row, column.name) for column in ROLLUP_KEY)
        self.rollup_sums = [each.of(row) for each in ROLLUP_SUMS]
        self.batch = batch
        self._message = message
        set_price(message, row.cost_nano_usd, row.price_version)

    def message(self) -> Log:
        """Return the log, redacted and priced."""
        return self._message


def pack(
    message: Log, batch: BatchReport, prices: PriceBook, invalid: list[InvalidMessage]
) -> PackedLog | None:
    """Pack a redacted log, or add it to the invalid ones."""
    try:
        row = to_row(message, project_id=batch.project_id, receive_time=batch.receive_time, prices=prices)
        return PackedLog(row, batch, message)
    except InvalidLog as error:
        invalid.append(InvalidMessage(message, str(error)))
    except struct.error:
        invalid.append(InvalidMessage(message, "a number that its column cannot hold"))
    return None


def read_batch(
    payload: bytes,
    redactor: Redactor,
    prices: PriceBook,
    report_of: Callable[[ProducerReport], BatchReport],
) -> ReadBatch:
    """Return the logs of an IngestLogsRequest, redacted and priced.

    Args:
        payload: The request's bytes.
        redactor: Redacts every text.
        prices: What calls cost.
        report_of: Makes the batch's report of what its producer reports.

    Raises:
        google.protobuf.message.DecodeError: It is no IngestLogsRequest.
    """
    request = IngestLogsRequest.FromString(payload)
    report = report_of(request.producer)
    logs, invalid = [], list[InvalidMessage]()
    for message in request.logs:
        redactor.redact_log(message)
        message.DiscardUnknownFields()
        packed = pack(message, report, prices, invalid)
        if packed is not None:
            logs.append(packed)
    return ReadBatch(report, logs, invalid)


def add_up(logs: Sequence[IncomingLog]) -> Sums:
    """Return what new logs add to the rollups."""
    groups: dict[RollupKey, list[IncomingLog]] = {}
    for log in logs:
        groups.setdefault(log.rollup_key, []).append(log)
    added = {
        key: list(map(sum, zip(*(log.rollup_sums for log in group), strict=True)))
        for key, group in groups.items()
    }
    return Sums(
        [
            pack_tuple((*key, *added[key], *_packed_counts(group)), DELTA_COLUMNS)
            for key, group in groups.items()
        ],
        frozenset((project_id, minute.replace(minute=0)) for project_id, minute, *_ in groups),
        sum(sums[_PRICED] for sums in added.values()),
    )


def _packed_counts(logs: Sequence[IncomingLog]) -> tuple[bytes, bytes, bytes]:
    """Return the values of PACKED_COUNTS of a group."""
    return (
        _pack_buckets(log.latency_bucket for log in logs),
        _pack_buckets(log.ttft_bucket for log in logs),
        pack_texts(Counter(log.error_code for log in logs if log.error_code is not None).items()),
    )


def _pack_buckets(buckets: Iterable[int | None]) -> bytes:
    return pack_buckets(sorted(Counter(bucket for bucket in buckets if bucket is not None).items()))

"""The task that stores spans: decode, redact, write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from google.protobuf.message import DecodeError
from llm_observe.v1.span_pb2 import SpanBatch

from codec.span_rows import to_row
from storage.errors import StorageError, StorageUnavailable
from storage.spans import write_spans
from telemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.redaction import Redactor

    from codec.batch import AcceptedBatch
    from storage.pool import Database
    from storage.spans import SpanRow

logger = structlog.get_logger("worker.tasks.write_spans")
_WRITTEN = metrics.SPANS.child("stored")
_REFUSED = metrics.SPANS.child("refused")


class SpanWriter:
    """Stores spans; what cannot be stored is counted and logged, and delays nothing."""

    def __init__(self, database: Database, redactor: Redactor) -> None:
        self._database = database
        self._redactor = redactor

    async def write_batches(self, batches: Sequence[AcceptedBatch]) -> None:
        """Store the spans of a queue message. Repeating changes nothing.

        Raises:
            StorageUnavailable: Not everything was stored; try again.
        """
        rows = [row for batch in batches for row in self._rows_of(batch)]
        try:
            await write_spans(self._database, rows)
        except StorageUnavailable:
            raise
        except StorageError:  # one of them was refused: each is written alone
            rows = [row for row in rows if await self._write_alone(row)]
        _WRITTEN.record(len(rows))

    def _rows_of(self, batch: AcceptedBatch) -> list[SpanRow]:
        try:
            spans = SpanBatch.FromString(batch.payload).spans
            return [to_row(span, batch, self._redactor) for span in spans]
        except (DecodeError, ValueError, OverflowError) as error:
            self._refuse(batch.log_count, type(error).__name__)
            return []

    async def _write_alone(self, row: SpanRow) -> bool:
        try:
            await write_spans(self._database, [row])
        except StorageUnavailable:
            raise
        except StorageError as error:
            self._refuse(1, str(error))
            return False
        return True

    def _refuse(self, count: int, reason: str) -> None:
        _REFUSED.record(count)
        logger.warning("spans not stored", count=count, reason=reason)

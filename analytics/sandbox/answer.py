"""The answer as frames, cut to the limits while it is made."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from analytics.sandbox.engine import BATCH_ROWS
from analytics.sandbox.errors import SqlLimitExceeded
from analytics.sandbox.query import MEBIBYTE
from analytics.sandbox.wire import ARROW, COLUMNS, END, MAX_FRAME_BYTES, frame, pack_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from analytics.sandbox.query import Limits

MAX_COLUMNS: Final = 1_000


def frames(relation: duckdb.DuckDBPyRelation, limits: Limits) -> Iterator[bytes]:
    """Yield the columns, the Arrow stream in pieces, and the end.

    Raises:
        SqlLimitExceeded: Too many columns, or a first row that is larger than the whole answer may be.
        duckdb.Error, pa.ArrowException, OSError: The query failed on the way.
    """
    if len(relation.columns) > MAX_COLUMNS:
        raise SqlLimitExceeded(
            "row-size",
            f"The answer has {len(relation.columns):,} columns; at most {MAX_COLUMNS:,} are allowed.",
        )
    columns = [[name, str(kind)] for name, kind in zip(relation.columns, relation.types, strict=True)]
    yield frame(COLUMNS, pack_json(columns))
    # One row more than allowed tells whether there are more.
    reader = relation.limit(limits.rows + 1).to_arrow_reader(BATCH_ROWS)
    cut = _Cut(limits)
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(cut.fit(batch))
            yield from _pieces(buffer)
            if cut.truncated:
                break
    yield from _pieces(buffer)
    yield frame(END, pack_json([cut.rows, cut.truncated]))


class _Cut:
    """Counts rows and bytes, and cuts the batch that exceeds either."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = 0
        self.rows = 0
        self.truncated = False

    def fit(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return as much of the batch as may be sent."""
        count = self._fitting(batch, min(batch.num_rows, self._limits.rows - self.rows))
        if count == 0 and self.rows == 0 and batch.num_rows > 0:
            raise SqlLimitExceeded(
                "row-size",
                f"One row of the answer is larger than {self._limits.bytes / MEBIBYTE:.0f} MiB, which is all "
                "that may be returned. Select fewer columns, or shorten texts by left(text, 1000).",
            )
        self.truncated = count < batch.num_rows
        kept = batch.slice(0, count)
        self.rows += count
        self._bytes += pa.ipc.get_record_batch_size(kept)
        return kept

    def _fitting(self, batch: pa.RecordBatch, count: int) -> int:
        """How many of the first ``count`` rows fit; by bisection, since rows differ in size."""
        left = self._limits.bytes - self._bytes
        if pa.ipc.get_record_batch_size(batch.slice(0, count)) <= left:
            return count
        low, high = 0, count
        while high - low > 1:
            middle = (low + high) // 2
            fits = pa.ipc.get_record_batch_size(batch.slice(0, middle)) <= left
            low, high = (middle, high) if fits else (low, middle)
        return low


def _pieces(buffer: io.BytesIO) -> Iterator[bytes]:
    """Yield what was written since the last call."""
    data = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    for start in range(0, len(data), MAX_FRAME_BYTES):
        yield frame(ARROW, data[start : start + MAX_FRAME_BYTES])

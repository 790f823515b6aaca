"""Makes a Parquet file of rows that Postgres gives as CSV, in pieces, so that memory stays bounded."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
from pyarrow import csv, parquet

from analytics.lake.schema import SCHEMA
from analytics.lake.store import LakeUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

PIECE_BYTES: Final = 8 << 20
"""Rows are parsed and written when so many bytes of CSV have come; a row group each."""
_MIN_BLOCK_BYTES: Final = 1 << 20
_UNIQUE: Final = frozenset(
    ("log_id", "trace_id", "span_id", "parent_span_id", "provider_request_id", "provider_response_id")
)
"""Texts that hardly ever repeat: a dictionary of them would be tried in vain."""
_PREVIEWS: Final = frozenset(("input_preview", "output_preview"))


def _csv_type(kind: pa.DataType) -> pa.DataType:
    """CSV has times without a zone, and JSON as text."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    return pa.string() if pa.types.is_nested(kind) else kind


_PARSING: Final = csv.ParseOptions(newlines_in_values=True)
_CONVERTING: Final = csv.ConvertOptions(
    column_types={field.name: _csv_type(field.type) for field in SCHEMA},
    null_values=[""],
    # COPY quotes an empty text, and leaves NULL bare.
    strings_can_be_null=True,
    quoted_strings_can_be_null=False,
    true_values=["t"],
    false_values=["f"],
)


def to_table(rows: bytes) -> pa.Table:
    """Return whole rows of COPY's CSV as a table with SCHEMA."""
    table = csv.read_csv(
        pa.BufferReader(rows),
        # A row must fit into a block, and these have rows of a few kilobytes.
        read_options=csv.ReadOptions(
            column_names=SCHEMA.names, use_threads=False, block_size=max(len(rows), _MIN_BLOCK_BYTES)
        ),
        parse_options=_PARSING,
        convert_options=_CONVERTING,
    )
    columns = [
        _parse_json(column, field.type) if pa.types.is_nested(field.type) else column.cast(field.type)
        for column, field in zip(table.columns, SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _parse_json(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Parse objects of texts, or lists of them; equal ones once."""
    chunks = []
    for chunk in column.chunks:
        encoded = chunk.dictionary_encode()
        values = [_entries(json.loads(text)) for text in encoded.dictionary.to_pylist()]
        chunks.append(pa.array(values, kind).take(encoded.indices))
    return pa.chunked_array(chunks, kind)


def _entries(value: dict[str, object] | list[object]) -> Sequence[object]:
    return list(value.items()) if isinstance(value, dict) else value


class WrittenFile(NamedTuple):
    """A file that is whole, before it is published."""

    path: Path
    row_count: int
    size_bytes: int
    sha256: str


class LogFileWriter:
    """Writes one file; its methods block, and run in a thread. Removes the file unless it was moved.

    Args:
        folder: Where the file is written, under a name that nobody reads.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f".{uuid.uuid4().hex}.tmp"
        self._writer: parquet.ParquetWriter | None = None
        self._row_count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
        self.path.unlink(missing_ok=True)

    def add(self, rows: bytes) -> None:
        """Add whole rows of COPY's CSV."""
        self.add_table(to_table(rows))

    def add_table(self, table: pa.Table) -> None:
        """Add rows as a row group."""
        try:
            if self._writer is None:
                self._writer = _open(self.path)
            self._writer.write_table(table, row_group_size=table.num_rows)
        except OSError as error:
            raise LakeUnavailable(f"the file cannot be written: {error.strerror}") from error
        self._row_count += table.num_rows

    def finish(self) -> WrittenFile:
        """Close the file, and return what is in it; without rows there is none."""
        if self._writer is None:
            return WrittenFile(self.path, 0, 0, "")
        try:
            self._writer.close()
            self._writer = None
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            return WrittenFile(self.path, self._row_count, self.path.stat().st_size, digest)
        except OSError as error:
            raise LakeUnavailable(f"the file cannot be written: {error.strerror}") from error


def _open(path: Path) -> parquet.ParquetWriter:
    return parquet.ParquetWriter(
        path,
        SCHEMA,
        compression="zstd",
        use_dictionary=[name for name in SCHEMA.names if name not in _UNIQUE | _PREVIEWS],
    )

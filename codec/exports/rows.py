"""Reads the rows of an exported file: JSON, lines of JSON, CSV or Parquet; gzipped or not."""

from __future__ import annotations

import csv
import gzip
import io
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

import pyarrow.parquet

from codec.json_files import NotJson, read_documents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codec.json_files import BytesFile

Row: TypeAlias = dict[str, Any]
"""A row as its file has it: whoever uses a field checks its type."""

_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_HOLDERS: Final = ("data", "spans", "traces", "observations", "scores", "trace")
"""Names under which an answer of an API, or a trace, holds rows."""
_MAX_DEPTH: Final = 4
_MAX_FIELD_BYTES: Final = 1 << 30
_BATCH_ROWS: Final = 500


class UnreadableExport(ValueError):
    """A file is no export that can be read; the message names it and says why."""


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file. One document of JSON is read whole, the other forms row by row.

    Raises:
        UnreadableExport: It is of another form, or damaged.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        try:
            if start == _PARQUET:
                yield from _read_parquet(file)
            elif start[:2] == _GZIP:
                with gzip.open(file) as unpacked:
                    yield from _read_text(io.BufferedReader(unpacked))
            else:
                yield from _read_text(file)
        except NotJson as error:
            raise UnreadableExport(f"{path}: {error}") from None
        except (EOFError, gzip.BadGzipFile, pyarrow.ArrowException, UnicodeDecodeError, csv.Error) as error:
            reason = f"damaged, or of another form ({type(error).__name__})"
            raise UnreadableExport(f"{path}: {reason}") from None


def _read_parquet(file: BinaryIO) -> Iterator[Row]:
    for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=_BATCH_ROWS):
        yield from batch.to_pylist(maps_as_pydicts="lossy")


def _read_text(file: BytesFile) -> Iterator[Row]:
    first = file.readline()
    while first and not first.strip():
        first = file.readline()
    if first.lstrip(b"\xef\xbb\xbf \t")[:1] in {b"[", b"{"}:
        for document in read_documents(file, first.removeprefix(b"\xef\xbb\xbf")):
            yield from _rows_of(document)
    elif first:
        lines = (line.decode() for line in chain([first.removeprefix(b"\xef\xbb\xbf")], file))
        csv.field_size_limit(_MAX_FIELD_BYTES)
        yield from csv.DictReader(lines, restkey="", strict=True)


def _rows_of(document: object, depth: int = _MAX_DEPTH) -> Iterator[Row]:
    """Yield the rows of a document: a list, an answer of an API, a trace with what is in it, or one row."""
    if isinstance(document, list) and depth:
        for each in document:
            yield from _rows_of(each, depth - 1)
    elif isinstance(document, dict):
        held = [name for name in _HOLDERS if depth and isinstance(document.get(name), list | dict)]
        if not held or "id" in document:
            yield {key: value for key, value in document.items() if key not in held}
        for name in held:
            yield from _rows_of(document[name], depth - 1)
    else:
        yield {}

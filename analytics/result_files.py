"""Answers of reports and SQL as files: CSV (RFC 4180) that no spreadsheet runs, and Parquet."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

_FORMULA: Final = re.compile(
    r"[\s\x00-\x1f\x7f\"'`´‘’‚‛“”„‟«»＂＇\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]*"  # noqa: RUF001 - quotes that a spreadsheet may drop
    r"[=+\-@\t\r\n＝＋－＠]"  # noqa: RUF001 - full-width forms, which some spreadsheets read as the others
)
"""What a spreadsheet may run: signs that begin formulas, though quotes or invisible characters precede."""


def escape_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet may run."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_formula(cell: str) -> str:
    """Return the text that became a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def to_csv(table: pa.Table) -> bytes:
    """Return a table as CSV with a header.

    Raises:
        OverflowError, ValueError: A time is not in the years 1 to 9999.
    """
    text = io.StringIO(newline="")
    columns = [column.to_pylist() for column in table.columns]
    writer = csv.writer(text)
    writer.writerow(map(escape_formula, table.column_names))
    writer.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))
    return text.getvalue().encode()


def to_parquet(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    from pyarrow import parquet  # noqa: PLC0415 - takes a while, which only who wants one should wait for

    output = io.BytesIO()
    parquet.write_table(table, output, compression="zstd")
    return output.getvalue()


def to_text(value: Any) -> str:  # any value that Arrow can hold
    """Return a value as text: times as ISO 8601, lists and maps as JSON."""
    if isinstance(value, str):
        return value
    return (
        value.isoformat()
        if isinstance(value, date)
        else json.dumps(value, default=to_json, ensure_ascii=False)
    )


def to_json(value: Any) -> str:
    """Return what JSON has no word for: times as ISO 8601, others as they print."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def _cell(value: Any) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return escape_formula(to_text(value))

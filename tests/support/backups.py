"""Logs to back up, and what else tests of backups share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analytics.lake.settings import LakeSettings
from storage.columns import LogRow
from tests.support.lake import row_at

STRANGE = "tab\t newline\n return\r backslash\\ \\N \\. ü注文🙂 'quote' \"double\""
"""A text that COPY might confuse."""


def silent(_step: str, _done: int) -> None:
    """Report nothing."""


def some_rows(count: int = 60, **fields: Any) -> list[LogRow]:
    """Return logs in twenty hours of three users."""
    texts = {"input_preview": STRANGE, "error_message": STRANGE}
    return [row_at(number % 20, user_id=f"user-{number % 3}", **texts, **fields) for number in range(count)]


def some_file(lake: LakeSettings) -> Path:
    """Return a Parquet file of a lake in a folder."""
    return next(Path(lake.url).rglob("*.parquet"))

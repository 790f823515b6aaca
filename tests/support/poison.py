"""Logs that the database refuses, whichever way they are written. Processes of tests load it, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from codec import _reader
from storage.logs import LogRow


class Poison:
    """A log with a row that is none."""

    packed_row = b"no row"

    def __init__(self, log: Any) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def to_row(self) -> LogRow:
        row: LogRow = self._log.to_row()
        return row._replace(tags="{no json")


def poisoning(is_poison: Callable[[Any], bool]) -> Callable[..., list[Any]]:
    """Return what to put in the place of codec.reader.read_logs."""

    def read_logs(*args: Any) -> list[Any]:
        return [Poison(log) if is_poison(log) else log for log in _reader.read_logs(*args)]

    return read_logs


def add_up(logs: Sequence[Any]) -> Any:
    """Stand in for worker.tasks.write_logs.add_up."""
    return _reader.add_up([log._log if isinstance(log, Poison) else log for log in logs])

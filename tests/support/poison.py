"""Logs that the database refuses, however they are written. Processes of tests load this module, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codec import extensions
from codec.batch import ReadBatch
from storage.columns import LOG_COLUMNS
from storage.copy_format import pack_tuple, unpack_tuple


class Poison:
    """A log whose tags are not JSON."""

    def __init__(self, log: Any) -> None:
        self._log = log
        values = dict(zip(LOG_COLUMNS, unpack_tuple(log.packed_row, LOG_COLUMNS), strict=True))
        row = [{"tags": "{no json"}.get(column.name, value) for column, value in values.items()]
        self.packed_row = pack_tuple(row, LOG_COLUMNS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


def poisoning(is_poison: Callable[[Any], bool]) -> Callable[..., ReadBatch]:
    """Return a replacement for codec.reader.read_batch."""

    def read_batch(*args: Any) -> ReadBatch:
        batch = extensions.read_batch(*args)
        logs: list[Any] = [Poison(log) if is_poison(log) else log for log in batch.logs]
        return batch._replace(logs=logs)

    return read_batch

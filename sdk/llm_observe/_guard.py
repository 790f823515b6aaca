"""The one place that swallows: a fault of ours never reaches the application."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger("llm_observe")

_REPEAT_AFTER_S: Final = 60.0
_last_said: dict[str, float] = {}
_fault_counts: dict[str, int] = {}


class guarded:  # noqa: N801 - reads as a verb where it is used
    """Swallow, count and log (once a minute) any fault of ours; re-raise under pytest.

    Only the type of the error is logged: its text may hold what the application sent.
    """

    __slots__ = ("_where",)

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if kind is None or not issubclass(kind, Exception):
            return False
        if "pytest" in sys.modules:
            return False
        note_fault(self._where, kind)
        return True


def note_fault(where: str, kind: type[BaseException]) -> None:
    """Count a fault and log it, at most once a minute for each place."""
    _fault_counts[where] = _fault_counts.get(where, 0) + 1
    now = time.monotonic()
    if now - _last_said.get(where, -_REPEAT_AFTER_S) >= _REPEAT_AFTER_S:
        _last_said[where] = now
        logger.warning("llm_observe fault, %d so far, in %s: %s", _fault_counts[where], where, kind.__name__)


def swallow(where: str, error: Exception) -> bool:
    """Do what guarded() does, where a context manager would cost too much; returns False."""
    if "pytest" in sys.modules:
        raise error
    note_fault(where, type(error))
    return False

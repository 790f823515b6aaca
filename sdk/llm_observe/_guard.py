"""The one place that swallows: an internal error of the SDK never reaches the application."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

logger = logging.getLogger("llm_observe")

raise_internal_errors = False
"""Our own tests set this, so that they fail where an application would be spared."""

_REPEAT_AFTER_S: Final = 60.0
_last_reported: dict[str, float] = {}
_error_counts: dict[str, int] = {}


class guarded:  # noqa: N801 - reads as a verb where it is used
    """Swallow, count and log (once a minute) any internal error.

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
        if kind is None or not issubclass(kind, Exception) or raise_internal_errors:
            return False
        report_internal_error(self._where, kind)
        return True


def attempt(where: str, function: Callable[..., object], *arguments: object) -> None:
    """Call a function as guarded() would, at a fraction of its cost.

    What reads a vendor's answer calls this once for each independent part: an odd part hides no other.
    """
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        swallow(where, error)


def report_internal_error(where: str, kind: type[BaseException]) -> None:
    """Count an internal error and log it, at most once a minute for each place. Never raises."""
    count = _error_counts[where] = _error_counts.get(where, 0) + 1
    now = time.monotonic()
    if now - _last_reported.get(where, -_REPEAT_AFTER_S) >= _REPEAT_AFTER_S:
        _last_reported[where] = now
        with suppress(Exception):  # a handler of the application may raise
            logger.warning("llm_observe internal error, %d so far, in %s: %s", count, where, kind.__name__)


def swallow(where: str, error: Exception) -> bool:
    """Do what guarded() does, where a context manager would cost too much; returns False."""
    if raise_internal_errors:
        raise error
    report_internal_error(where, type(error))
    return False

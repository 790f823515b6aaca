"""Swallows internal errors of the SDK, so that none reaches the application."""

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
"""Set by the SDK's own tests, which must fail on an internal error."""

_REPEAT_AFTER_S: Final = 60.0
_last_reported: dict[str, float] = {}
_error_counts: dict[str, int] = {}


class guarded:  # noqa: N801 - reads as a verb where it is used
    """Swallow, count and (once a minute) log any internal error.

    Only the type of the error is logged: its text may quote what the application sent.
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


def attempt(where: str, function: Callable[..., object], *arguments: object) -> bool:
    """Call a function and swallow its error; return whether there was none. Costs a fraction of guarded().

    The readers of vendors' answers call this for each independent part, so that an odd part hides no other.
    """
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        return swallow(where, error)
    return True


def report_internal_error(where: str, kind: type[BaseException]) -> None:
    """Count an internal error and log it, at most once a minute per place. Never raises."""
    count = _error_counts[where] = _error_counts.get(where, 0) + 1
    now = time.monotonic()
    if now - _last_reported.get(where, -_REPEAT_AFTER_S) >= _REPEAT_AFTER_S:
        _last_reported[where] = now
        with suppress(Exception):  # the application's logging handler may raise
            logger.warning("llm_observe internal error, %d so far, in %s: %s", count, where, kind.__name__)


def swallow(where: str, error: Exception) -> bool:
    """Handle an error like guarded(), for places where a context manager is too slow; return False."""
    if raise_internal_errors:
        raise error
    report_internal_error(where, type(error))
    return False

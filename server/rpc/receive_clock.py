"""The time at which batches are received, which orders the corrections of a log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ReceiveClock:
    """Redis' clock, which all servers share: a server whose own clock is behind loses no corrections.

    Args:
        clock_ns: Nanoseconds since 1970, as this machine has them.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._lead_us = 0
        self._last_us = 0

    def adjust(self, lead_s: float) -> None:
        """Note how far Redis' clock is ahead of this machine's, in seconds."""
        self._lead_us = round(lead_s * 1e6)

    def now_us(self) -> int:
        """Return now in microseconds since 1970, never the same twice."""
        self._last_us = max(self._clock_ns() // 1000 + self._lead_us, self._last_us + 1)
        return self._last_us

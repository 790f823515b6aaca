"""A limit on giving up: a bad deploy must stop the worker, not drain the queue into the dead letters."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from storage.errors import StorageUnavailable

_WINDOW_S: Final = 60.0


class TooManyDeadLetters(StorageUnavailable):
    """More is given up than may be; what waits stays in the queue and is tried again."""


class DeadLetterQuota:
    """How many logs may be given up in a minute, by this process."""

    def __init__(self, logs_per_minute: int) -> None:
        self._most = logs_per_minute
        self._taken: deque[tuple[float, int]] = deque()

    def take(self, count: int) -> None:
        """Give up so many logs. The first of a minute are allowed whatever their count.

        Raises:
            TooManyDeadLetters: Nothing may be given up now.
        """
        now = time.monotonic()
        while self._taken and self._taken[0][0] <= now - _WINDOW_S:
            self._taken.popleft()
        if self._taken and sum(taken for _, taken in self._taken) + count > self._most:
            raise TooManyDeadLetters(
                "more logs are given up than may be: is something wrong with this release?"
            )
        self._taken.append((now, count))

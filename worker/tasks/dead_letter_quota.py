"""Caps dead letters per minute: a bad deploy must stop the worker, not dead-letter the whole queue."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW_S: Final = 60.0


class TooManyDeadLetters(StorageUnavailable):
    """The quota is spent; the logs stay in the queue and are retried."""


class DeadLetterQuota:
    """How many logs per minute this process may dead-letter."""

    def __init__(self, logs_per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._logs_per_minute = logs_per_minute
        self._clock = clock
        self._spent: deque[tuple[float, int]] = deque()

    def spend(self, count: int) -> None:
        """Count logs that are about to be dead-lettered. The first of a minute may be any number.

        Raises:
            TooManyDeadLetters: No more may be dead-lettered now.
        """
        now = self._clock()
        while self._spent and self._spent[0][0] <= now - _WINDOW_S:
            self._spent.popleft()
        if self._spent and sum(spent for _, spent in self._spent) + count > self._logs_per_minute:
            raise TooManyDeadLetters(
                f"limit of {self._logs_per_minute} dead letters per minute reached "
                "(LLM_OBSERVE_DEAD_LETTERS_PER_MINUTE): find the cause with `llm-observe dead-letters list`"
            )
        self._spent.append((now, count))

"""How long somebody else may keep us waiting."""

from __future__ import annotations

import asyncio
from typing import Final

_LOOKS: Final = 4
"""How often it is looked at within the time: it may be exceeded by this part."""


class IdleTimeout:
    """Ends a time-out early when what is waited for is silent for too long.

    What happens between ``waiting()`` and ``done()`` counts, and nothing else. Both only note the time, for
    they are called for every piece of a stream; a timer looks at it now and then.
    """

    def __init__(self, limit: asyncio.Timeout, most_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._most_s = most_s
        self._since: float | None = None
        self._timer = self._loop.call_later(most_s / _LOOKS, self._look)

    def waiting(self) -> None:
        """Begin to wait."""
        self._since = self._loop.time()

    def done(self) -> None:
        """It came."""
        self._since = None

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        if self._since is not None and now - self._since >= self._most_s:
            self._limit.reschedule(now)
        else:
            self._timer = self._loop.call_later(self._most_s / _LOOKS, self._look)

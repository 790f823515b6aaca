"""What counts as an outage of Redis, how a log line names it, and how it is waited out."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
from redis.exceptions import RedisError

from analytics.lake.store import LakeUnavailable
from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = structlog.get_logger("worker.queue.outages")

Result = TypeVar("Result")

REDIS_ERRORS: Final = (RedisError, OSError)
"""Every error reply, broken connection and time-out: all of them may pass, and no batch is to blame."""
_FIRST_PAUSE_S: Final = 0.2
_MAX_PAUSE_S: Final = 2.0
_CODE = re.compile(r"[A-Z]{2,}\b")


def error_code(error: BaseException) -> str:
    """Return the code of an error reply, such as ``NOREPLICAS``, else the error's class name.

    Never its text, which may quote what was queued.
    """
    status_code = getattr(error, "status_code", None)  # redis-py cuts the codes it knows off the text
    code = _CODE.match(str(status_code or error)) if isinstance(error, RedisError) else None
    return code.group() if code else type(error).__name__


class Outage:
    """Logs when failures of a step begin, change and end, and paces retries of it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.reason = ""
        """Why the last attempt failed; empty when it did not."""
        self._pause_s = _FIRST_PAUSE_S

    async def wait(self, error: Exception) -> None:
        """Note a failure, and pause()."""
        self.note(error)
        await self.pause()

    async def pause(self) -> None:
        """Wait before the next attempt, longer each time, for 2 seconds at most."""
        pause_s, self._pause_s = self._pause_s, min(self._pause_s * 2, _MAX_PAUSE_S)
        await asyncio.sleep(pause_s)

    def note(self, error: Exception) -> None:
        """Log a failure, unless the one before had the same reason."""
        # Texts of storage and of the lake are ours and say what to do; Redis' are not.
        reason = str(error) if isinstance(error, StorageError | LakeUnavailable) else error_code(error)
        if reason != self.reason:
            logger.warning("waiting for a dependency", step=self._name, reason=reason)
            self.reason = reason

    def end(self) -> None:
        """Note that it succeeded."""
        if self.reason:
            logger.info("dependency is back", step=self._name)
            self.reason, self._pause_s = "", _FIRST_PAUSE_S


async def wait_out(name: str, step: Callable[[], Awaitable[Result]]) -> Result:
    """Repeat a step until neither Redis nor Postgres stands in its way; return its result."""
    outage = Outage(name)
    while True:
        try:
            result = await step()
        except (StorageError, *REDIS_ERRORS) as error:
            await outage.wait(error)
        else:
            outage.end()
            return result

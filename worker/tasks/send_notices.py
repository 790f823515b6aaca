"""Sends the notices of the outbox: in order, at least once, and not for ever."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from storage.alert_messages import claim_message, make_messages, settle_message
from worker.notices.errors import NotDelivered

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from storage.alert_messages import ClaimedMessage
    from storage.pool import Database
    from worker.notices.notifier import Notifier

logger = structlog.get_logger("worker.tasks.send_notices")

_LEASE: Final = timedelta(minutes=2)
"""How long a message is left to one sender; it takes half a minute at most."""
MAX_ATTEMPTS: Final = 12
"""After as many a message is undelivered, about two hours after the first."""
_FIRST_DELAY: Final = timedelta(seconds=10)
_MAX_DELAY: Final = timedelta(minutes=30)
_CONCURRENCY: Final = 4


def retry_delay(attempt_count: int) -> timedelta:
    """Return how long to wait after a failed attempt, the first being 1."""
    return min(_FIRST_DELAY * (1 << (attempt_count - 1)), _MAX_DELAY)


class NoticeSender:
    """Sends what waits. Several do so side by side: a message is claimed by one at a time.

    The messages of a channel are sent one after the other, so that an alert fires before it is resolved.
    Where the process dies before it has noted that a message was sent, it is sent again, under the same id.

    Args:
        database: Has the outbox.
        notifier: Sends a message.
        clock: The time, UTC.
    """

    def __init__(self, database: Database, notifier: Notifier, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._notifier = notifier
        self._clock = clock

    async def send(self) -> int:
        """Send every message that is due; return how many attempts that were.

        Raises:
            StorageError: The database does not answer; the rest is sent the next time.
        """
        await make_messages(self._database, now=self._clock())
        counts = await asyncio.gather(*(self._send_some() for _ in range(_CONCURRENCY)))
        return sum(counts)

    async def _send_some(self) -> int:
        count = 0
        while message := await self._claim():
            await self._attempt(message)
            count += 1
        return count

    async def _claim(self) -> ClaimedMessage | None:
        now = self._clock()
        return await claim_message(self._database, now=now, lease_end=now + _LEASE)

    async def _attempt(self, message: ClaimedMessage) -> None:
        try:
            await self._notifier.send(message.message_id, message.target, message.notices)
        except NotDelivered as failure:
            await self._settle_failure(message, str(failure), final=failure.final)
        except Exception as error:
            logger.exception("notices not sent", message_id=str(message.message_id))
            await self._settle_failure(message, f"sending failed ({type(error).__name__})")
        else:
            await settle_message(self._database, message, "delivered", now=self._clock())

    async def _settle_failure(self, message: ClaimedMessage, error: str, *, final: bool = False) -> None:
        now = self._clock()
        final = final or message.attempt_count >= MAX_ATTEMPTS
        logger.warning(
            "notices not delivered",
            message_id=str(message.message_id),
            channel_id=str(message.target.channel_id),
            attempt=message.attempt_count,
            final=final,
            reason=error,
        )
        await settle_message(
            self._database,
            message,
            "undelivered" if final else "waiting",
            now=now,
            error=error,
            next_attempt_time=None if final else now + retry_delay(message.attempt_count),
        )

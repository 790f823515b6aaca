"""The job that seals hours that are over and makes digests of them, again and again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from analytics.digest_making import make_digests
from analytics.windows import HOUR, floor
from storage.errors import QueryTimeout
from storage.lake import EARLIEST, seal_hours
from storage.log_digests import TIERS, list_missing, try_lock
from worker.queue.outages import wait_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.log_digests import Span
    from storage.pool import Connection, Database

logger = structlog.get_logger("worker.tasks.make_digests")
SEAL_DELAY: Final = timedelta(minutes=10)
"""How long after its end an hour gets digests. Logs that come later have them made again."""
_INTERVAL_S: Final = 60.0
_SPANS_AT_ONCE: Final = 50
"""Of each tier; a backlog of more is listed again."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class DigestMaker:
    """Makes digests every minute, in each worker; of several, one at a time does it."""

    def __init__(self, database: Database, now: Callable[[], datetime] = _utc_now) -> None:
        self._database = database
        self._now = now
        self._too_slow: set[Span] = set()

    async def run(self) -> None:
        """Make digests until cancelled. An outage of the database is waited out."""
        while True:
            try:
                await wait_out("make digests", self.make)
            except Exception:  # the next round may succeed; readers read the logs meanwhile
                logger.exception("digests not made")
            await asyncio.sleep(_INTERVAL_S)

    async def make(self) -> int:
        """Make the digests that can be made; return of how many stretches of time.

        Raises:
            StorageUnavailable: The rest is made next time.
        """
        async with self._database.connection() as connection:
            if not await try_lock(connection):
                return 0
            end = floor(self._now() - SEAL_DELAY, HOUR)
            await seal_hours(self._database, start=EARLIEST, end=end, project_id=None)
            # Days are made of hours, and weeks of days.
            return sum([await self._make_tier(connection, tier) for tier in TIERS])

    async def _make_tier(self, connection: Connection, tier_minutes: int) -> int:
        made = 0
        while True:
            limit = _SPANS_AT_ONCE + len(self._too_slow)
            missing = await list_missing(connection, tier_minutes, limit)
            done = [await self._make_span(connection, span) for span in missing if span not in self._too_slow]
            made += sum(done)
            if len(missing) < limit or not any(done):
                return made

    async def _make_span(self, connection: Connection, span: Span) -> bool:
        """Make the digests of a span; one whose logs take too long to read is not tried again."""
        try:
            return await make_digests(connection, span)
        except QueryTimeout:
            logger.warning("an hour has too many logs for digests", start=span.start.isoformat())
            self._too_slow.add(span)
            return False

"""The job that makes digests of logs of times that are over, again and again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from analytics.digest_making import make_digest
from analytics.windows import EPOCH, HOUR, MINUTE, floor
from storage.errors import QueryTimeout
from storage.log_digests import QUARTER, TIERS, forget_before, list_missing, try_lock
from worker.queue.outages import wait_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.log_digests import Span
    from storage.pool import Connection, Database

logger = structlog.get_logger("worker.tasks.make_digests")
_DELAY: Final = timedelta(seconds=30)
"""How long after its end a stretch of time gets a digest. Logs that come later have it made again."""
_QUARTERS_KEPT: Final = 49 * HOUR
"""Windows that begin earlier are of whole hours."""
_INTERVAL_S: Final = 30.0
_SPANS_AT_ONCE: Final = 50
"""Of each tier; a backlog of more is listed again."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class DigestMaker:
    """Makes digests twice a minute, in each worker; of several, one at a time does it."""

    def __init__(self, database: Database, now: Callable[[], datetime] = _utc_now) -> None:
        self._database = database
        self._now = now
        self._too_slow: set[Span] = set()

    async def run(self) -> None:
        """Make digests until cancelled. An outage of the database is waited out."""
        while True:
            try:
                await wait_out("make digests", self.make)
            except Exception:  # the next round may succeed; logs are read meanwhile
                logger.exception("digests not made")
            await asyncio.sleep(_INTERVAL_S)

    async def make(self) -> int:
        """Make the digests that can be made; return how many.

        Raises:
            StorageUnavailable: The rest is made next time.
        """
        async with self._database.connection() as connection:
            if not await try_lock(connection):
                return 0
            await forget_before(connection, floor(self._now() - _QUARTERS_KEPT, HOUR), QUARTER)
            # Hours are made of quarters where there are any, days of hours, and weeks of days.
            return sum([await self._make_tier(connection, tier) for tier in TIERS])

    async def _make_tier(self, connection: Connection, tier_minutes: int) -> int:
        now, made = self._now(), 0
        start = floor(now - _QUARTERS_KEPT, HOUR) if tier_minutes == QUARTER else EPOCH
        end = floor(now - _DELAY, min(tier_minutes, 60) * MINUTE)
        while True:
            limit = _SPANS_AT_ONCE + len(self._too_slow)
            missing = await list_missing(connection, tier_minutes, start=start, end=end, limit=limit)
            done = [await self._make_span(connection, span) for span in missing if span not in self._too_slow]
            made += sum(done)
            if len(missing) < limit or not any(done):
                return made

    async def _make_span(self, connection: Connection, span: Span) -> bool:
        """Make a digest; one whose logs take too long to read is not tried again by this worker."""
        try:
            return await make_digest(connection, span)
        except QueryTimeout:
            logger.warning(
                "too many logs for a digest", start=span.start.isoformat(), minutes=span.tier_minutes
            )
            self._too_slow.add(span)
            return False

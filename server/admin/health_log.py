"""Examines the server's health now and then: says each problem once in the log, and sets the common clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog
from llm_observe.v1.health_service_pb2 import HealthState

from server.admin.health_problems import find_problems
from worker.queue.redis_health import RedisHealth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llm_observe.v1.health_service_pb2 import HealthProblem

    from server.admin.health import HealthService
    from server.rpc.receive_clock import ReceiveClock

logger = structlog.get_logger("server.admin.health")

_INTERVAL_S: Final = 10.0


class HealthLog:
    """Looks every 10 seconds.

    Args:
        service: Examines.
        clock: Is set by Redis' clock.
        now: Says how late it is.
    """

    def __init__(
        self,
        service: HealthService,
        clock: ReceiveClock,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._service = service
        self._clock = clock
        self._now = now
        self._known: set[str] = set()
        """Kinds of the problems that were logged and are not over."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            try:
                await self.look()
            except Exception:  # the next look may succeed
                logger.exception("health not examined")

    async def look(self) -> None:
        """Look once."""
        observed, _, _ = await self._service.examine()
        if isinstance(observed.redis, RedisHealth) and observed.redis.clock_lead_s is not None:
            self._clock.adjust(observed.redis.clock_lead_s)
        self._note(find_problems(observed, self._now()))

    def _note(self, problems: Iterable[HealthProblem]) -> None:
        found = {problem.kind: problem for problem in problems}
        for kind, problem in found.items():
            if kind not in self._known:
                state = HealthState.Name(problem.state).removeprefix("HEALTH_STATE_").lower()
                logger.warning("health problem", kind=kind, state=state, reason=problem.message)
        for kind in sorted(self._known - found.keys()):
            logger.info("health problem is over", kind=kind)
        self._known = set(found)

"""HealthService: asks Postgres, Redis and the disks, within a time-out, and always answers."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe import __version__
from llm_observe.v1.health_service_pb2 import (
    HEALTH_STATE_HEALTHY,
    HEALTH_STATE_UNHEALTHY,
    CheckRequest,
    CheckResponse,
    DependencyHealth,
    HealthProblem,
    RollupHealth,
)
from llm_observe.v1.health_service_pb2_grpc import HealthServiceServicer

from server.admin.convert import to_queue_health
from server.admin.health_problems import Disk, Observed, find_problems
from server.rpc.times import to_duration, to_timestamp
from storage.errors import SchemaMismatch, StorageError
from storage.health import PostgresHealth, get_postgres_health
from worker.queue.log_queue import QueueUnavailable
from worker.queue.redis_health import RedisHealth, get_redis_health

if TYPE_CHECKING:
    from collections.abc import Sequence

    from server.rpc.context import Context
    from storage.pool import Database
    from worker.queue.backlog import Backlog
    from worker.queue.broker import LogBroker

_TIMEOUT_S: Final = 1.5
_AWAY: Final = "does not answer"


class Examination(NamedTuple):
    """What was found out, and how long the answers of Postgres and Redis took, in seconds."""

    observed: Observed
    postgres_s: float
    redis_s: float


class HealthService(HealthServiceServicer):
    """See health_service.proto. Callers that come at once share an examination.

    Args:
        database: Postgres.
        broker: The queue.
        backlog: Knows whether the queue is full.
        folders: Whose disks are looked at.
    """

    def __init__(
        self, database: Database, broker: LogBroker, backlog: Backlog, folders: Sequence[str] = ()
    ) -> None:
        self._database = database
        self._broker = broker
        self._backlog = backlog
        self._folders = folders
        self._start_time = datetime.now(UTC)
        self._examining: asyncio.Task[Examination] | None = None

    async def Check(self, request: CheckRequest, context: Context) -> CheckResponse:
        observed, postgres_s, redis_s = await self.examine()
        now = datetime.now(UTC)
        problems = find_problems(observed, now)
        response = CheckResponse(
            state=max((problem.state for problem in problems), default=HEALTH_STATE_HEALTHY),
            dependencies=[
                _dependency("postgres", problems, None if observed.postgres == _AWAY else postgres_s),
                _dependency("redis", problems, None if observed.redis == _AWAY else redis_s),
            ],
            version=__version__,
            start_time=to_timestamp(self._start_time),
            problems=problems,
        )
        if isinstance(observed.postgres, PostgresHealth):
            _add_postgres(response, observed.postgres, now)
        if isinstance(observed.redis, RedisHealth):
            response.queue.CopyFrom(to_queue_health(observed.redis.stats))
        return response

    async def examine(self) -> Examination:
        """Ask everything, within 1.5 seconds."""
        if self._examining is None or self._examining.done():
            self._examining = asyncio.create_task(self._examine(), name="health")
        return await asyncio.shield(self._examining)

    async def _examine(self) -> Examination:
        (postgres, schema, postgres_s), (redis, redis_s) = await asyncio.gather(
            self._ask_postgres(), self._ask_redis()
        )
        observed = Observed(
            postgres,
            redis,
            was_full=self._backlog.was_full_lately,
            schema=schema,
            disks=_disks(self._folders),
        )
        return Examination(observed, postgres_s, redis_s)

    async def _ask_postgres(self) -> tuple[PostgresHealth | str, str, float]:
        begin = time.perf_counter()
        answer: PostgresHealth | str
        schema = ""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await get_postgres_health(self._database)
        except SchemaMismatch as error:
            answer = schema = str(error)
        except (StorageError, TimeoutError):
            answer = _AWAY
        return answer, schema, time.perf_counter() - begin

    async def _ask_redis(self) -> tuple[RedisHealth | str, float]:
        begin = time.perf_counter()
        answer: RedisHealth | str
        try:
            answer = await get_redis_health(self._broker)
        except QueueUnavailable:
            answer = _AWAY
        return answer, time.perf_counter() - begin


def _disks(folders: Sequence[str]) -> list[Disk]:
    disks = []
    for folder in folders:
        with suppress(OSError):  # a folder that is not there fills no disk
            disks.append(Disk(folder, shutil.disk_usage(folder).free))
    return disks


def _dependency(name: str, problems: Sequence[HealthProblem], latency_s: float | None) -> DependencyHealth:
    """Return the state of a store; ``latency_s`` is None where it does not answer."""
    if latency_s is None:
        return DependencyHealth(name=name, state=HEALTH_STATE_UNHEALTHY, message=_AWAY)
    own = [problem for problem in problems if problem.kind.startswith(f"{name}_")]
    return DependencyHealth(
        name=name,
        state=max((problem.state for problem in own), default=HEALTH_STATE_HEALTHY),
        latency=to_duration(latency_s * 1e6),
        message="; ".join(problem.message for problem in own),
    )


def _add_postgres(response: CheckResponse, postgres: PostgresHealth, now: datetime) -> None:
    response.dead_letter_count = postgres.dead_letters
    response.undelivered_alert_message_count = postgres.undelivered
    response.rollups.CopyFrom(RollupHealth(overflow_hour_count=postgres.rollups.overflow_hour_count))
    oldest = postgres.rollups.oldest_delta_time
    if oldest is not None:
        lag_us = (now - oldest) // timedelta(microseconds=1)
        response.rollups.merge_lag.CopyFrom(to_duration(max(0, lag_us)))

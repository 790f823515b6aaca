"""What counts as a problem, and how it is said: rules over what the stores have told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1.health_service_pb2 import HEALTH_STATE_DEGRADED, HEALTH_STATE_UNHEALTHY, HealthProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from storage.health import PostgresHealth
    from worker.queue.log_queue import QueueStats
    from worker.queue.redis_health import RedisHealth

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_LATE_S: Final = 60.0
"""A batch that has waited longer than this to be stored is late, in seconds; so is a merge of rollups."""
_SKEW_S: Final = 2.0
_SAFE_SYNC: Final = ("always", "launcher")
_MEMORY_FULL: Final = 0.9
_DISK_LOW_BYTES: Final = 2_000_000_000
_DISK_FULL_BYTES: Final = 500_000_000


class Disk(NamedTuple):
    """The file system of a folder."""

    folder: str
    free_bytes: int


class Observed(NamedTuple):
    """What was found out."""

    postgres: PostgresHealth | str
    """What it says, or why it says nothing."""
    redis: RedisHealth | str
    was_full: bool = False
    """Whether batches were refused within the last minute because the queue held too much."""
    schema: str = ""
    """What is wrong with the schema; then ``postgres`` says the same."""
    disks: Sequence[Disk] = ()


def find_problems(observed: Observed, now: datetime) -> list[HealthProblem]:
    """Return every problem, the worst first."""
    found = [*_of_postgres(observed, now), *_of_redis(observed), *_of_disks(observed.disks)]
    return sorted(found, key=lambda problem: -problem.state)


def _unhealthy(kind: str, message: str) -> HealthProblem:
    return HealthProblem(state=HEALTH_STATE_UNHEALTHY, kind=kind, message=message)


def _degraded(kind: str, message: str) -> HealthProblem:
    return HealthProblem(state=HEALTH_STATE_DEGRADED, kind=kind, message=message)


def _of_postgres(observed: Observed, now: datetime) -> Iterator[HealthProblem]:
    postgres = observed.postgres
    if observed.schema:
        yield _unhealthy("postgres_old_schema", observed.schema)
    elif isinstance(postgres, str):
        yield _unhealthy("postgres_down", f"Postgres {postgres}")
    if isinstance(postgres, str):
        return
    if postgres.is_read_only:
        yield _unhealthy(
            "postgres_read_only", "Postgres is read-only, so nothing is stored: batches wait in the queue"
        )
    if postgres.dead_letters:
        recent = f"{postgres.recent_dead_letters:,} of them from the last 10 minutes"
        waiting = f"{_count(postgres.dead_letters, 'dead letter')} waiting, {recent}"
        yield _degraded("dead_letters", f"{waiting} (`llm-observe dead-letters list`)")
    oldest = postgres.rollups.oldest_delta_time
    if oldest is not None and (lag_s := (now - oldest).total_seconds()) > _LATE_S:
        yield _degraded("late_rollups", f"no rollups were merged for {_duration(lag_s)}")
    if postgres.undelivered:
        yield _degraded(
            "undelivered_alerts",
            f"{_count(postgres.undelivered, 'message')} about alerts not delivered in the last 24 hours",
        )


def _of_redis(observed: Observed) -> Iterator[HealthProblem]:
    redis = observed.redis
    if isinstance(redis, str):
        yield _unhealthy("redis_down", f"Redis {redis}, so no logs are accepted")
        return
    if redis.refusal:
        yield _unhealthy("redis_refuses", f"Redis refuses writes ({redis.refusal}), so no logs are accepted")
    if observed.was_full:
        yield _unhealthy(
            "queue_full",
            f"the queue is full ({redis.stats.depth:,} batches), so logs are refused with SERVER_BUSY: "
            "add workers, or raise LLM_OBSERVE_QUEUE_MAX_MEGABYTES",
        )
    yield from _of_queue(redis.stats)
    yield from _of_safety(redis)
    if redis.memory_used is not None and redis.memory_used > _MEMORY_FULL:
        yield _degraded("redis_full", f"Redis' memory is {redis.memory_used:.0%} full: raise `maxmemory`")
    if redis.clock_lead_s is not None and abs(redis.clock_lead_s) > _SKEW_S:
        side = "behind" if redis.clock_lead_s > 0 else "ahead of"
        yield _degraded(
            "clock_skew",
            f"this server's clock is {_duration(abs(redis.clock_lead_s))} {side} that of Redis, which orders "
            "corrections: synchronise both",
        )


def _of_queue(stats: QueueStats) -> Iterator[HealthProblem]:
    if not stats.consumers:
        yield _degraded("no_worker", "no worker runs, so nothing is stored: batches wait in the queue")
    for reason in stats.waits:
        yield _degraded("worker_waits", f"a worker cannot store logs: {reason}")
    if stats.oldest_age_s is not None and stats.oldest_age_s > _LATE_S:
        yield _degraded(
            "late_batches",
            f"a batch has waited {_duration(stats.oldest_age_s)} to be stored ({stats.depth:,} in the queue)",
        )


def _of_safety(redis: RedisHealth) -> Iterator[HealthProblem]:
    if not redis.has_append_only_file:
        yield _degraded(
            "redis_not_durable",
            "Redis keeps no append-only file, so it loses the queue when it stops: set `appendonly yes`",
        )
    elif redis.sync_policy is not None and redis.sync_policy not in _SAFE_SYNC:
        yield _degraded(
            "redis_syncs_late",
            f"Redis has `appendfsync {redis.sync_policy}`, so it may lose accepted logs: "
            "set `appendfsync always`",
        )
    if redis.eviction_policy != "noeviction":
        evicted = f"{_count(redis.evicted_count, 'key')} evicted since it started"
        yield _degraded(
            "redis_evicts",
            f"Redis has `maxmemory-policy {redis.eviction_policy}`, which deletes accepted logs when memory "
            f"is short ({evicted}): set `noeviction`",
        )


def _of_disks(disks: Sequence[Disk]) -> Iterator[HealthProblem]:
    for disk in disks:
        if disk.free_bytes < _DISK_LOW_BYTES:
            make = _unhealthy if disk.free_bytes < _DISK_FULL_BYTES else _degraded
            yield make("disk_full", f"{disk.free_bytes / 1e9:.1f} GB are left on the disk of {disk.folder}")


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _duration(duration_s: float) -> str:
    if duration_s < 2 * _MINUTE_S:
        return f"{duration_s:.0f} s"
    if duration_s < 2 * _HOUR_S:
        return f"{duration_s / _MINUTE_S:.0f} min"
    return f"{duration_s / _HOUR_S:.0f} h"

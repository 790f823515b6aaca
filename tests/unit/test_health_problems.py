"""Each state of the stores that endangers logs is a problem with a reason in words; -s prints them."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime, timedelta

import pytest
from llm_observe.v1.health_service_pb2 import (
    HEALTH_STATE_DEGRADED,
    HEALTH_STATE_UNHEALTHY,
    HealthProblem,
    HealthState,
)
from structlog.testing import capture_logs

from server.admin import health_problems
from server.admin.health_log import HealthLog
from server.admin.health_problems import Disk, Observed, find_problems
from server.rpc.receive_clock import ReceiveClock
from storage.health import PostgresHealth
from storage.rollups import RollupHealth
from tests.support.repository import ROOT
from worker.queue.log_queue import QueueStats
from worker.queue.redis_health import RedisHealth

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
POSTGRES = PostgresHealth(
    is_read_only=False,
    dead_letters=0,
    recent_dead_letters=0,
    rollups=RollupHealth(NOW - timedelta(seconds=5), 0),
    undelivered=0,
)
STATS = QueueStats(depth=3, pending=1, delayed=1, consumers=1, oldest_age_s=2.0)
REDIS = RedisHealth(
    stats=STATS,
    refusal="",
    has_append_only_file=True,
    sync_policy="always",
    eviction_policy="noeviction",
    evicted_count=0,
    memory_used=0.5,
    clock_lead_s=0.01,
)
BAD, WARNING = HEALTH_STATE_UNHEALTHY, HEALTH_STATE_DEGRADED


def observed(postgres=None, redis=None, stats=None, disks=(), *, was_full=False) -> Observed:
    """Healthy stores but for the given fields."""
    queue = STATS._replace(**(stats or {}))
    return Observed(
        POSTGRES._replace(**(postgres or {})),
        REDIS._replace(**{"stats": queue, **(redis or {})}),
        was_full=was_full,
        disks=disks,
    )


WAITS = ("the database is unavailable: DiskFullError 53100",)
CASES = {
    "postgres_down": (BAD, Observed("does not answer", REDIS), "Postgres does not answer"),
    "postgres_old_schema": (BAD, Observed("old", REDIS, schema="run `llm-observe migrate`"), "migrate"),
    "postgres_read_only": (BAD, observed({"is_read_only": True}), "nothing is stored"),
    "dead_letters": (
        WARNING,
        observed({"dead_letters": 1_200, "recent_dead_letters": 7}),
        "1,200 dead letters waiting, 7 of them from the last 10 minutes",
    ),
    "late_rollups": (
        WARNING,
        observed({"rollups": RollupHealth(NOW - timedelta(minutes=9), 0)}),
        "no rollups were merged for 9 min",
    ),
    "undelivered_alerts": (WARNING, observed({"undelivered": 1}), "1 message about alerts not delivered"),
    "redis_down": (BAD, Observed(POSTGRES, "does not answer"), "no logs are accepted"),
    "redis_refuses": (BAD, observed(redis={"refusal": "NOREPLICAS"}), "refuses writes (NOREPLICAS)"),
    "queue_full": (BAD, observed(was_full=True), "the queue is full (3 batches), so logs are refused"),
    "no_worker": (WARNING, observed(stats={"consumers": 0}), "no worker runs"),
    "worker_waits": (WARNING, observed(stats={"waits": WAITS}), "cannot store logs: the database is unav"),
    "late_batches": (WARNING, observed(stats={"oldest_age_s": 75.0}), "a batch has waited 75 s"),
    "redis_not_durable": (WARNING, observed(redis={"has_append_only_file": False}), "set `appendonly yes`"),
    "redis_syncs_late": (WARNING, observed(redis={"sync_policy": "everysec"}), "set `appendfsync always`"),
    "redis_evicts": (
        WARNING,
        observed(redis={"eviction_policy": "allkeys-lru", "evicted_count": 3}),
        "`maxmemory-policy allkeys-lru`, which deletes accepted logs when memory is short (3 keys evicted",
    ),
    "redis_full": (WARNING, observed(redis={"memory_used": 0.93}), "93% full"),
    "clock_skew": (WARNING, observed(redis={"clock_lead_s": 42.0}), "clock is 42 s behind that of Redis"),
    "disk_full": (BAD, observed(disks=[Disk("/data", 400_000_000)]), "0.4 GB are left on the disk of /data"),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_problem_has_a_state_and_a_reason(kind):
    state, found, words = CASES[kind]
    (problem,) = find_problems(found, NOW)
    print(f"{HealthState.Name(problem.state)} {problem.kind}: {problem.message}")  # noqa: T201 - for people, with -s
    assert (problem.state, problem.kind) == (state, kind)
    assert words in problem.message


def test_every_problem_is_tested_and_documented():
    kinds = set(re.findall(r'(?:_unhealthy|_degraded|make)\(\s*"(\w+)"', inspect.getsource(health_problems)))
    assert kinds == CASES.keys()
    documented = (ROOT / "docs/operations.md").read_text()
    assert not [kind for kind in kinds if f"| `{kind}` |" not in documented]


HEALTHY = {
    "all is well": observed(),
    "the launcher syncs": observed(redis={"sync_policy": "launcher"}),
    "a hosted Redis tells no policy": observed(redis={"sync_policy": None, "clock_lead_s": None}),
    "no limit of memory": observed(redis={"memory_used": None}),
    "an empty queue": observed(stats={"depth": 0, "oldest_age_s": None}),
    "nothing to merge": observed({"rollups": RollupHealth(None, 3)}),
    "room on the disk": observed(disks=[Disk("/data", 50_000_000_000)]),
}


@pytest.mark.parametrize("found", HEALTHY.values(), ids=HEALTHY)
def test_there_is_no_problem(found):
    assert find_problems(found, NOW) == []


def test_the_worst_comes_first():
    found = observed({"dead_letters": 1, "is_read_only": True}, disks=[Disk("/data", 1_000_000_000)])
    assert [problem.kind for problem in find_problems(found, NOW)] == [
        "postgres_read_only",
        "dead_letters",
        "disk_full",
    ]


class Service:
    """Finds these, one after the other."""

    def __init__(self, *found: Observed) -> None:
        self._found = iter(found)

    async def examine(self):
        return next(self._found), 0.0, 0.0


async def test_each_problem_is_logged_once_and_its_end_too():
    late = [observed(stats={"oldest_age_s": age_s}) for age_s in (75.0, 90.0)]
    service = Service(observed(), *late, observed(), *late)
    health_log = HealthLog(service, ReceiveClock(), lambda: NOW)  # type: ignore[arg-type] # as far as it is asked
    with capture_logs() as lines:
        for _ in range(6):
            await health_log.look()
    assert [(line["event"], line["kind"]) for line in lines] == [
        ("health problem", "late_batches"),
        ("health problem is over", "late_batches"),
        ("health problem", "late_batches"),
    ]
    assert lines[0]["state"] == "degraded"
    assert "75 s" in lines[0]["reason"]


async def test_two_servers_order_batches_by_one_clock():
    now = datetime(2026, 11, 26, tzinfo=UTC).timestamp()

    async def clock_that_is_behind(behind_s: float) -> ReceiveClock:
        clock = ReceiveClock(lambda: int((now - behind_s) * 1e9))
        service = Service(observed(redis={"clock_lead_s": behind_s}))
        await HealthLog(service, clock).look()  # type: ignore[arg-type] # as above
        return clock

    right, wrong = await clock_that_is_behind(0), await clock_that_is_behind(3600)
    assert right.now_us() == wrong.now_us()
    now += 1
    assert right.now_us() == wrong.now_us() == int(now * 1e6)


def test_a_clock_that_goes_back_never_repeats_a_time():
    clock = ReceiveClock(lambda: 5_000)
    assert [clock.now_us() for _ in range(3)] == [5, 6, 7]
    clock.adjust(-1)
    assert clock.now_us() == 8


def test_a_problem_is_a_message_of_the_contract():
    assert set(HealthProblem.DESCRIPTOR.fields_by_name) == {"state", "kind", "message"}

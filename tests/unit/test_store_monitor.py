"""What the monitor says of Postgres where some of its queries fail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import cast

import pytest

from analytics.lake.settings import LakeSettings
from server.admin import monitor
from server.admin.monitor import StoreMonitor
from storage.errors import QueryTimeout, StorageUnavailable
from storage.pool import Database
from telemetry import metrics
from worker.queue.broker import LogBroker

COUNTS = ("get_rollup_health", "count_waiting_dead_letters", "count_undelivered")
SLOW = ("count_sdk_drops", "find_waiting_hours")
ANSWERS = {
    "get_rollup_health": SimpleNamespace(oldest_delta_time=None),
    "count_waiting_dead_letters": 0,
    "count_undelivered": 0,
    "count_sdk_drops": [("expired", 3)],
    "find_waiting_hours": SimpleNamespace(oldest_hour=None),
    "queue_stats": SimpleNamespace(depth=0, delayed=0, oldest_age_s=None, consumers=1),
}
GAUGES = (metrics.DEPENDENCY_UP, metrics.DEAD_LETTERS, metrics.SDK_DROPPED, metrics.EXPORT_LAG)


@pytest.fixture
def failures(monkeypatch):
    """By name of a query: the error that it raises."""
    failing: dict[str, Exception] = {}

    def answer(name: str):
        async def run(*_: object, **__: object) -> object:
            if name in failing:
                raise failing[name]
            return ANSWERS[name]

        return run

    for name in ANSWERS:
        monkeypatch.setattr(monitor, name, answer(name))
    return failing


@pytest.fixture
def values():
    """The gauges, by name and labels."""
    found: dict[tuple[str, ...], float] = {}

    def recorder(name: str, labels: Sequence[str]) -> Callable[[float], None]:
        def record(value: float) -> None:
            found[(name, *labels)] = value

        return record

    for gauge in GAUGES:
        gauge.bind(partial(recorder, gauge.name))
    yield found
    for gauge in GAUGES:
        gauge.bind(None)


def make() -> StoreMonitor:
    nothing = cast("Database", None), cast("LogBroker", None)
    return StoreMonitor(*nothing, LakeSettings(url="/lake"))


def read(values: dict[tuple[str, ...], float]) -> tuple[float, float, float, float]:
    return (
        values[metrics.DEPENDENCY_UP.name, "postgres"],
        values[metrics.DEAD_LETTERS.name,],
        values[metrics.SDK_DROPPED.name, "expired"],
        values[metrics.EXPORT_LAG.name,],
    )


@pytest.mark.parametrize("query", SLOW)
async def test_a_query_that_takes_too_long_is_no_outage(failures, values, query):
    failures[query] = QueryTimeout("slow")
    await make().sample()
    up, letters, _, lag = read(values)
    assert (up, letters) == (1, 0)
    assert math.isnan(lag)


@pytest.mark.parametrize("query", COUNTS)
async def test_nothing_old_is_told_of_a_database_that_is_away(failures, values, query):
    sampled = make()
    await sampled.sample()
    assert read(values) == (1, 0, 3, 0)
    failures[query] = StorageUnavailable("away")
    await sampled.sample()
    up, *others = read(values)
    assert up == 0
    assert all(map(math.isnan, others))
    failures.clear()
    await sampled.sample()
    assert read(values) == (1, 0, 3, 0)

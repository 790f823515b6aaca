"""Breakdowns by user, session, release and tag say what the logs say."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub

from codec.rows import to_row
from storage import pool
from storage.columns import ROLLUP_SUMS, LogRow
from tests.support.packing import insert
from tests.support.prices import BOOK
from tests.support.random_logs import random_log
from tests.support.rpc import info_of, stub

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
START = NOW - timedelta(minutes=20)
DIMENSIONS = {
    pb.DIMENSION_USER: lambda row: [row.user_id],
    pb.DIMENSION_SESSION: lambda row: [row.session_id],
    pb.DIMENSION_RELEASE: lambda row: [row.release],
    pb.DIMENSION_TAG: lambda row: tags_of(row) or [""],
}


@pytest.fixture
def analytics(channel):
    return stub(AnalyticsServiceStub, channel)


def tags_of(row) -> list[str]:
    return sorted(set(json.loads(row.tags or "[]")))


def make_rows(count: int = 120, seed: int = 3):
    chance = random.Random(seed)
    logs = [random_log(chance, START) for _ in range(count)]
    logs[0].tags.append(logs[0].tags[0] if logs[0].tags else "twice")
    rows = [to_row(log, project_id="default", receive_time=NOW, prices=BOOK) for log in logs]
    return [
        row._replace(cost_nano_usd=chance.choice((None, 0, 5)), input_token_count=chance.choice((None, 3)))
        for row in rows
    ]


def request_of(dimension, **fields):
    request = pb.QueryBreakdownRequest(dimension=dimension, **fields)
    request.time_range.start_time.FromDatetime(START - timedelta(minutes=5))
    request.time_range.end_time.FromDatetime(NOW)
    return request


def sums_of(rows) -> dict[str, int]:
    return {each.name: sum(each.of(row) for row in rows) for each in ROLLUP_SUMS}


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=pb.Dimension.Name)
async def test_groups_and_total_are_those_of_the_logs(analytics, database, dimension):
    rows = make_rows()
    await insert(database, rows)
    found = await analytics.QueryBreakdown(request_of(dimension))
    groups: dict[str, list[LogRow]] = {}
    for row in rows:
        for group in DIMENSIONS[dimension](row):
            groups.setdefault(group, []).append(row)
    order = sorted(groups, key=lambda group: (-len(groups[group]), group))
    assert [row.group for row in found.rows] == order
    for group, members, shown in [
        *((row.group, groups[row.group], row.metrics) for row in found.rows),
        ("total", rows, found.total),
    ]:
        sums = sums_of(members)
        assert shown.request_count == len(members), group
        assert shown.error_count == sums["error_count"], group
        assert shown.cost_nano_usd == sums["cost_nano_usd_sum"], group
        assert shown.unpriced_count == len(members) - sums["priced_count"], group
        assert shown.input_token_count == sums["input_token_sum"], group
        assert shown.latency.count == sums["latency_count"], group
        latencies = sorted(row.latency_us for row in members if row.latency_bucket is not None)
        if latencies:
            exact = latencies[int(0.9 * (len(latencies) - 1))]
            assert shown.latency.p90.ToMicroseconds() == pytest.approx(exact, rel=0.0101, abs=1), group
    assert found.time_range == request_of(dimension).time_range


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=pb.Dimension.Name)
async def test_total_and_filter_agree_with_the_summary(analytics, database, dimension):
    await insert(database, make_rows())
    request = request_of(dimension, limit=1)
    request.filter.providers.append("openai")
    found = await analytics.QueryBreakdown(request)
    assert len(found.rows) == 1
    summary = pb.GetSummaryRequest(time_range=request.time_range, filter=request.filter)
    assert found.total == (await analytics.GetSummary(summary)).current


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=pb.Dimension.Name)
async def test_a_window_without_logs_has_no_groups(analytics, dimension):
    found = await analytics.QueryBreakdown(request_of(dimension))
    assert not found.rows
    assert found.total.request_count == 0


async def test_a_window_counts_whole_minutes(analytics, database):
    row = make_rows(1)[0]
    await insert(database, [row._replace(start_time=NOW + timedelta(seconds=59))])
    request = request_of(pb.DIMENSION_USER)
    request.time_range.end_time.FromDatetime(NOW + timedelta(seconds=1))
    found = await analytics.QueryBreakdown(request)
    assert found.total.request_count == 1
    assert found.time_range.end_time.ToDatetime(UTC) == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=pb.Dimension.Name)
async def test_series_refuse_what_rollups_do_not_hold(analytics, dimension):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.QueryTimeSeries(pb.QueryTimeSeriesRequest(group_by=dimension))
    assert (info_of(caught.value)[0], info_of(caught.value)[2]) == ("INVALID_FIELD", ["group_by"])


@pytest.mark.parametrize("dimension", [0, 99])
async def test_an_unknown_dimension_is_refused(analytics, dimension):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.QueryBreakdown(request_of(dimension))
    assert (info_of(caught.value)[0], info_of(caught.value)[2]) == ("INVALID_FIELD", ["dimension"])


@pytest.mark.parametrize("name", ["list_digests", "sum_groups_by_column", "break_down_by_column"])
async def test_a_window_that_is_too_large_is_answered_in_time(analytics, database, monkeypatch, name):
    await insert(database, make_rows(1))
    monkeypatch.setattr(pool.Connection, "fetch", _too_late(pool.Connection.fetch, name))
    request = request_of(pb.DIMENSION_USER)
    if name == "break_down_by_column":  # whose questions have a filter
        request.filter.environments.append("production")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.QueryBreakdown(request)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert info_of(caught.value)[0] == "QUERY_TIMEOUT"


def _too_late(fetch, name):
    """Make one query sleep for longer than it may."""

    async def fetch_late(self, query, **values):
        if query.name == name:
            self._timeout_s = 0.05
            query = type(query)(name, "SELECT pg_sleep(60)", ())
            values = {}
        return await fetch(self, query, **values)

    return fetch_late

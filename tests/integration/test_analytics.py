"""The numbers that a user reads are the numbers that were sent."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub

from codec.rows import to_row
from tests.support.logs import make_log
from tests.support.packing import insert
from tests.support.prices import BOOK
from tests.support.rpc import info_of, stub

NOW = datetime.now(UTC)
THIS_HOUR = NOW.replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def analytics(channel):
    return stub(AnalyticsServiceStub, channel)


async def store(database, *logs):
    await insert(database, [to_row(log, project_id="default", receive_time=NOW, prices=BOOK) for log in logs])


def log_at(start_time: datetime, **fields):
    log = make_log(**fields)
    log.start_time.FromDatetime(start_time)
    return log


async def test_summary_counts_and_compares_with_the_previous_window(analytics, database):
    yesterday = THIS_HOUR - timedelta(hours=30)
    await store(
        database,
        *(log_at(THIS_HOUR, latency=f"{n}s", timeToFirstToken="0.5s") for n in (1, 2, 3)),
        log_at(THIS_HOUR, outcome="OUTCOME_ERROR", latency="60s"),
        log_at(THIS_HOUR, outcome="OUTCOME_CANCELLED", model="nobody knows its price"),
        log_at(yesterday, latency="1s"),
    )
    found = await analytics.GetSummary(pb.GetSummaryRequest())
    now = found.current
    assert (now.request_count, now.success_count, now.error_count, now.cancelled_count) == (5, 3, 1, 1)
    assert now.success_rate == pytest.approx(0.6)
    assert (now.input_token_count, now.output_token_count) == (50, 100)
    # Errors and cancelled calls do not affect the average latency of successful ones.
    assert (now.latency.count, now.latency.average.ToMilliseconds()) == (3, 2000)
    assert now.time_to_first_token.p50.ToMicroseconds() == pytest.approx(500_000, rel=0.01)
    assert found.previous.request_count == 1
    # 10 tokens at 0.15 and 20 at 0.60 US dollars per million.
    assert (now.priced_count, now.unpriced_count, now.cost_nano_usd) == (4, 1, 4 * 13_500)


async def test_percentiles_are_within_one_percent(analytics, database):
    chance = random.Random(3)
    latencies = sorted(max(1, int(chance.lognormvariate(12, 1.2))) for _ in range(3000))
    logs = []
    for number, microseconds in enumerate(latencies):
        log = log_at(THIS_HOUR - timedelta(hours=number % 20), model=f"m{number % 5}")
        log.latency.FromMicroseconds(microseconds)
        logs.append(log)
    for begin in range(0, 3000, 500):
        await store(database, *logs[begin : begin + 500])
    found = (await analytics.GetSummary(pb.GetSummaryRequest())).current.latency
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        exact = latencies[int(share * (len(latencies) - 1))]
        assert getattr(found, name).ToMicroseconds() == pytest.approx(exact, rel=0.0101), name


async def test_filters_apply_to_the_summary(analytics, database):
    await store(
        database,
        log_at(THIS_HOUR, provider="openai", environment="production"),
        log_at(THIS_HOUR, provider="gemini", environment="staging"),
    )
    request = pb.GetSummaryRequest()
    request.filter.providers.append("gemini")
    assert (await analytics.GetSummary(request)).current.request_count == 1
    request.filter.environments.append("production")
    assert (await analytics.GetSummary(request)).current.request_count == 0


async def test_series_and_breakdown_add_up_to_the_summary(analytics, database):
    chance = random.Random(5)
    await store(
        database,
        *(
            log_at(THIS_HOUR - timedelta(hours=chance.randrange(20)), provider=f"p{chance.randrange(30)}")
            for _ in range(400)
        ),
    )
    series = await analytics.QueryTimeSeries(pb.QueryTimeSeriesRequest(group_by=pb.DIMENSION_PROVIDER))
    assert len(series.series) == 21
    assert series.series[-1].remainder
    counted = sum(point.metrics.request_count for line in series.series for point in line.points)
    breakdown = await analytics.QueryBreakdown(
        pb.QueryBreakdownRequest(dimension=pb.DIMENSION_PROVIDER, limit=3)
    )
    assert len(breakdown.rows) == 3
    assert counted == breakdown.total.request_count == 400
    counts = [row.metrics.request_count for row in breakdown.rows]
    assert counts == sorted(counts, reverse=True)


async def test_windows_are_rounded_to_whole_hours(analytics):
    request = pb.GetSummaryRequest()
    request.time_range.start_time.FromJsonString("2026-05-01T10:20:30Z")
    request.time_range.end_time.FromJsonString("2026-05-01T12:00:01Z")
    found = (await analytics.GetSummary(request)).time_range
    assert found.start_time.ToJsonString() == "2026-05-01T10:00:00Z"
    assert found.end_time.ToJsonString() == "2026-05-01T13:00:00Z"


async def test_errors_are_paged_and_a_token_fits_only_its_request(analytics, database):
    await store(
        database,
        *(
            log_at(
                NOW - timedelta(seconds=n), outcome="OUTCOME_ERROR", errorCode="rate_limited", httpStatus=429
            )
            for n in range(7)
        ),
        log_at(NOW),
    )
    request, seen = pb.ListErrorsRequest(page_size=3), []
    while True:
        page = await analytics.ListErrors(request)
        seen += [log.log_id for log in page.logs]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert len(seen) == len(set(seen)) == 7
    first = await analytics.ListErrors(pb.ListErrorsRequest(page_size=3))
    other = pb.ListErrorsRequest(page_size=3, page_token=first.next_page_token)
    other.filter.providers.append("gemini")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.ListErrors(other)
    assert info_of(caught.value)[0] == "PAGE_TOKEN_MISMATCH"


@pytest.mark.parametrize("token", ["x", "AAAA", "W10=", "e30=", "bnVsbA=="])
async def test_a_foreign_page_token_is_refused(analytics, token):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.ListErrors(pb.ListErrorsRequest(page_token=token))
    assert info_of(caught.value)[0] == "PAGE_TOKEN_MISMATCH"


def window(start: str, end: str) -> dict[str, str]:
    return {"startTime": start, "endTime": end}


BAD_REQUESTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "empty window": (
        pb.GetSummaryRequest,
        {"timeRange": window("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z")},
    ),
    "long window": (
        pb.GetSummaryRequest,
        {"timeRange": window("2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z")},
    ),
    "step": (pb.QueryTimeSeriesRequest, {"step": "90s"}),
    "no dimension": (pb.QueryBreakdownRequest, {}),
    "negative limit": (pb.QueryBreakdownRequest, {"dimension": "DIMENSION_MODEL", "limit": -1}),
    "negative page": (pb.ListErrorsRequest, {"pageSize": -1}),
    "many values": (pb.GetSummaryRequest, {"filter": {"providers": ["p"] * 51}}),
    "log id": (pb.GetLogRequest, {"logId": "x"}),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
async def test_bad_requests_name_the_field(analytics, name):
    kind, fields = BAD_REQUESTS[name]
    method = kind.DESCRIPTOR.name.removesuffix("Request")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(analytics, method)(ParseDict(fields, kind()))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    reason, metadata, violated = info_of(caught.value)
    assert reason == "INVALID_FIELD"
    assert violated == [metadata["field"]]

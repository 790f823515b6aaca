"""A trace is whole and in order; a log says how it compares with its peers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub

import storage.logs
from codec.rows import to_row
from storage.sql import load_queries
from tests.support.logs import make_log
from tests.support.packing import insert
from tests.support.prices import BOOK
from tests.support.rpc import info_of, stub

NOW = datetime.now(UTC).replace(microsecond=0)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0)
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def analytics(channel):
    return stub(AnalyticsServiceStub, channel)


async def store(database, *logs, project_id="default"):
    rows = [to_row(log, project_id=project_id, receive_time=NOW, prices=BOOK) for log in logs]
    for begin in range(0, len(rows), 500):
        await insert(database, rows[begin : begin + 500])


def log_at(time: datetime, **fields):
    log = make_log(**fields)
    log.start_time.FromDatetime(time)
    return log


async def test_a_trace_is_read_whole_oldest_first(analytics, database):
    days = (0, 40, 3)  # one of them in the default partition
    ours = [log_at(NOW - timedelta(days=n), traceId=TRACE) for n in days]
    await store(database, *ours, log_at(NOW), log_at(NOW, traceId="1" * 32))
    await store(database, log_at(NOW, traceId=TRACE), project_id="other")
    found = await analytics.GetTrace(pb.GetTraceRequest(trace_id=TRACE))
    assert [log.log_id for log in found.logs] == [ours[n].log_id for n in (1, 2, 0)]
    assert not found.truncated


async def test_a_trace_that_nobody_knows_is_empty(analytics):
    found = await analytics.GetTrace(pb.GetTraceRequest(trace_id=TRACE))
    assert found == pb.GetTraceResponse()


async def test_a_long_trace_is_cut_and_says_so(analytics, database):
    logs = [log_at(NOW - timedelta(seconds=n), traceId=TRACE) for n in range(1001)]
    await store(database, *logs[:1000])
    assert not (await analytics.GetTrace(pb.GetTraceRequest(trace_id=TRACE))).truncated
    await store(database, logs[1000])
    found = await analytics.GetTrace(pb.GetTraceRequest(trace_id=TRACE))
    assert found.truncated
    assert [log.log_id for log in found.logs] == [log.log_id for log in logs[:0:-1]]


async def test_a_trace_of_large_logs_fits_into_a_message(analytics, database):
    text = "\U0001f600" * 500
    metadata = {f"{n:064}": text for n in range(50)}
    await store(database, *(log_at(NOW, traceId=TRACE, metadata=metadata) for _ in range(60)))
    found = await analytics.GetTrace(pb.GetTraceRequest(trace_id=TRACE))
    assert found.truncated
    assert 20 < len(found.logs) < 60


@pytest.mark.parametrize("wrong", ["", "x" * 32, TRACE.upper(), TRACE[1:], TRACE + "0", "\0" * 32])
async def test_what_is_no_trace_id_is_refused(analytics, wrong):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.GetTrace(pb.GetTraceRequest(trace_id=wrong))
    assert info_of(caught.value)[0] == "INVALID_FIELD"
    assert info_of(caught.value)[2] == ["trace_id"]


async def test_the_planner_reads_a_trace_by_its_index(database, sql):
    await store(database, *(log_at(NOW, traceId=f"{n:032x}") for n in range(1000)))
    partition = f"logs_{NOW:%Y%m%d}"
    await sql.execute(f"ANALYZE {partition}")
    query = load_queries(storage.logs.__file__)["list_trace"]
    values = query.args(project_id="default", trace_id=TRACE, row_limit=1001)
    await sql.execute("SET plan_cache_mode = force_generic_plan")
    plan = await sql.fetch(f"EXPLAIN {query.text}", *values)
    text = "\n".join(line[0] for line in plan)
    assert f"{partition}_project_id_trace_id_idx" in text


async def rank_of(analytics, log):
    found = await analytics.GetLog(pb.GetLogRequest(log_id=log.log_id))
    assert found.log.log_id == log.log_id
    return found.rank if found.HasField("rank") else None


async def test_a_log_is_ranked_among_its_peers(analytics, database):
    logs = [log_at(MIDNIGHT, latency=f"{n}s", timeToFirstToken=f"{10 - n}s") for n in range(5, 10)]
    await store(
        database,
        *logs,
        log_at(MIDNIGHT, latency="1s", model="another"),
        log_at(MIDNIGHT, latency="1s", environment="another"),
        log_at(MIDNIGHT, latency="1s", outcome="OUTCOME_ERROR"),
        log_at(MIDNIGHT - timedelta(microseconds=1), latency="1s"),
        log_at(MIDNIGHT + timedelta(days=1), latency="1s"),
    )
    await store(database, log_at(MIDNIGHT, latency="1s"), project_id="other")
    for place, log in enumerate(logs):
        rank = await rank_of(analytics, log)
        assert rank.compared_count == 5
        assert rank.faster_share == pytest.approx(place / 5)
        assert rank.faster_first_token_share == pytest.approx((4 - place) / 5)
        assert rank.time_range.start_time.ToDatetime(UTC) == MIDNIGHT
        assert rank.time_range.end_time.ToDatetime(UTC) == MIDNIGHT + timedelta(days=1)


async def test_a_rank_follows_a_correction(analytics, database):
    logs = [log_at(MIDNIGHT, latency=f"{n}s") for n in range(1, 4)]
    await store(database, *logs)
    logs[0].latency.FromSeconds(9)
    await insert(
        database,
        [to_row(logs[0], project_id="default", receive_time=NOW + timedelta(seconds=1), prices=BOOK)],
    )
    assert (await rank_of(analytics, logs[0])).faster_share == pytest.approx(2 / 3)


async def test_what_cannot_be_compared_has_no_rank(analytics, database):
    failed = log_at(NOW, outcome="OUTCOME_ERROR", latency="1s")
    timeless = log_at(NOW)
    timeless.ClearField("latency")
    alone = log_at(NOW, latency="1s", model="alone")
    await store(database, failed, timeless, alone)
    assert await rank_of(analytics, failed) is None
    assert await rank_of(analytics, timeless) is None
    rank = await rank_of(analytics, alone)
    assert (rank.compared_count, rank.faster_share) == (1, 0.0)
    assert not rank.HasField("faster_first_token_share")

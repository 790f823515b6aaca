"""Whatever the window, the step and the filter, rollups say what the logs say, merged or not."""

from __future__ import annotations

import asyncio
import csv
import io
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub

from analytics import aggregates
from analytics.checks import verify_rollups
from analytics.metrics import Metrics
from analytics.sketch import bucket_of
from analytics.windows import DAY, HOUR, MINUTE, Window, ceil, floor
from codec.rows import to_row
from server.reads.convert import fill_metrics
from server.rpc.times import to_duration, to_time_range
from storage.rollup_merges import count_again, forget_minutes, list_days
from storage.rollups import TIERS, RollupFilter, TierRange, sum_rollups
from tests.support.logs import make_log
from tests.support.packing import insert, upsert
from tests.support.prices import BOOK
from tests.support.rollups import assert_rollups_are_right, merge_all
from tests.support.rpc import info_of, stub

NOW = datetime.now(UTC)
MINUTES_FROM = floor(NOW - 48 * HOUR, HOUR)
DIMENSIONS: dict[str, tuple[pb.Dimension.ValueType, Callable[[Any], str]]] = {
    "": (pb.DIMENSION_UNSPECIFIED, lambda row: ""),
    "provider": (pb.DIMENSION_PROVIDER, lambda row: row.provider),
    "model": (pb.DIMENSION_MODEL, lambda row: row.model),
    "environment": (pb.DIMENSION_ENVIRONMENT, lambda row: row.environment),
}


@pytest.fixture
def analytics(channel):
    return stub(AnalyticsServiceStub, channel)


LATENCIES: dict[str, Callable[[random.Random], float]] = {
    "skewed": lambda chance: chance.lognormvariate(0, 2),
    "bimodal": lambda chance: chance.gauss(*chance.choice(((0.2, 0.01), (30, 2)))),
    "heavy tail": lambda chance: min(0.001 * chance.paretovariate(0.5), 600_000),
}


def make_rows(chance: random.Random, count: int, latency: str = "skewed"):
    """Logs of five days, more of them lately, some of which failed or were cancelled."""
    return [
        to_row(
            log_at(
                NOW - timedelta(seconds=chance.expovariate(1 / 86_400)) - chance.choice((0, 3)) * DAY,
                provider=chance.choice(("openai", "anthropic")),
                model=f"m{min(30, int(chance.expovariate(0.2)))}",
                environment=chance.choice(("", "production")),
                outcome=chance.choice(("OUTCOME_SUCCESS",) * 8 + ("OUTCOME_ERROR", "OUTCOME_CANCELLED")),
                error_code=chance.choice(("", "rate_limit", "timeout")),
                latency=f"{LATENCIES[latency](chance):.6f}s",
            ),
            project_id="default",
            receive_time=NOW,
            prices=BOOK,
        )
        for _ in range(count)
    ]


def log_at(time: datetime, **fields: Any):
    log = make_log(**fields)
    log.start_time.FromDatetime(time)
    return log


def assert_says(found: pb.Metrics, rows: list[Any]) -> None:
    """Counts and sums are exact; a percentile is within 1 % of the call with its rank."""
    outcomes = Counter(row.outcome for row in rows)
    assert found.request_count == len(rows)
    assert (found.success_count, found.error_count, found.cancelled_count) == (
        outcomes["success"],
        outcomes["error"],
        outcomes["cancelled"],
    )
    assert found.input_token_count == sum(row.input_token_count or 0 for row in rows)
    latencies = sorted(row.latency_us for row in rows if row.outcome == "success")
    assert found.latency.count == len(latencies)
    for fraction, duration in (
        (0.5, found.latency.p50),
        (0.95, found.latency.p95),
        (0.99, found.latency.p99),
    ):
        if latencies:
            exact = latencies[int(fraction * (len(latencies) - 1))]
            assert abs(duration.ToMicroseconds() - exact) <= 0.01 * exact + 1  # rounded


def within(rows: list[Any], window: Any) -> list[Any]:
    start, end = window.start_time.ToDatetime(UTC), window.end_time.ToDatetime(UTC)
    return [row for row in rows if start <= row.start_time < end]


async def ask(analytics: Any, rows: list[Any], chance: random.Random) -> None:
    """Ask every question about a random window, and hold the answers against the rows."""
    start = NOW - timedelta(seconds=chance.choice((3600, 86_400, 9 * 86_400)) * chance.random())
    end = start + (NOW + MINUTE - start) * chance.choice((1, chance.random()))
    if end <= start + MINUTE:
        return
    arguments: dict[str, Any] = {"time_range": {"start_time": start, "end_time": end}}
    if chance.random() < 0.3:
        arguments["filter"] = {"providers": ["openai"]}
        rows = [row for row in rows if row.provider == "openai"]
    summary = await analytics.GetSummary(pb.GetSummaryRequest(**arguments))
    assert summary.time_range.start_time.ToDatetime(UTC) <= start
    assert summary.time_range.end_time.ToDatetime(UTC) >= end
    assert_says(summary.current, within(rows, summary.time_range))
    assert_says(summary.previous, within(rows, summary.previous_time_range))
    name = chance.choice(list(DIMENSIONS))
    dimension, key = DIMENSIONS[name]
    asked = datetime.now(UTC)
    series = await analytics.QueryTimeSeries(pb.QueryTimeSeriesRequest(**arguments, group_by=dimension))
    assert_series(series, within(rows, series.time_range), key)
    step = series.step.ToTimedelta()
    for point in (point for each in series.series for point in each.points):
        end = point.start_time.ToDatetime(UTC) + step
        # A step that ended in between may be either.
        assert point.unfinished == (end > asked) or asked < end <= datetime.now(UTC)
    breakdown = await analytics.QueryBreakdown(
        pb.QueryBreakdownRequest(**arguments, dimension=dimension or pb.DIMENSION_MODEL, limit=500)
    )
    inside = within(rows, breakdown.time_range)
    assert_says(breakdown.total, inside)
    sizes = [row.metrics.request_count for row in breakdown.rows]
    assert sizes == sorted(sizes, reverse=True)
    for group in breakdown.rows:
        key = DIMENSIONS[name or "model"][1]
        assert_says(group.metrics, [row for row in inside if key(row) == group.group])
    await ask_errors(analytics, rows, arguments)


def assert_series(found: pb.QueryTimeSeriesResponse, rows: list[Any], key: Callable[[Any], str]) -> None:
    step = found.step.ToTimedelta()
    groups = {series.group for series in found.series if not series.remainder}
    assert len(groups) <= 20
    for series in found.series:
        inside = [
            row for row in rows if (key(row) not in groups if series.remainder else key(row) == series.group)
        ]
        steps = Counter(floor(row.start_time, step) for row in inside)
        points = {point.start_time.ToDatetime(UTC): point for point in series.points}
        assert list(points) == sorted(steps)
        for start, point in points.items():
            assert_says(point.metrics, [row for row in inside if floor(row.start_time, step) == start])


async def ask_errors(analytics: Any, rows: list[Any], arguments: dict[str, Any]) -> None:
    errors = await analytics.QueryBreakdown(
        pb.QueryBreakdownRequest(**arguments, dimension=pb.DIMENSION_ERROR_CODE)
    )
    failed = Counter(row.error_code for row in within(rows, errors.time_range) if row.outcome == "error")
    assert {row.group: row.metrics.error_count for row in errors.rows} == failed
    facets = await analytics.ListFacets(pb.ListFacetsRequest(**arguments))
    counts = {facet.dimension: {v.value: v.request_count for v in facet.values} for facet in facets.facets}
    assert counts[pb.DIMENSION_ERROR_CODE] == failed
    inside = within(rows, facets.time_range)
    assert counts[pb.DIMENSION_MODEL] == Counter(row.model for row in inside)


@pytest.mark.parametrize(("seed", "latency"), list(enumerate(LATENCIES)))
async def test_any_question_about_any_window(analytics, database, seed, latency):
    chance = random.Random(seed)
    rows: list[Any] = []
    for _ in range(4):
        batch = make_rows(chance, 150, latency)
        await chance.choice((insert, upsert))(database, batch)
        corrected = [
            row._replace(receive_time=NOW + (len(rows) + 1) * MINUTE, model="corrected")
            for row in chance.sample(rows, len(rows) // 10)
        ]
        await upsert(database, corrected)
        kept = {row.log_id for row in corrected}
        rows = [row for row in rows if row.log_id not in kept] + corrected + batch
        if chance.random() < 0.7:
            await merge_all(database)
        for _ in range(4):
            await ask(analytics, rows, chance)
    await assert_rollups_are_right(database)


@pytest.mark.parametrize("latency", LATENCIES)
async def test_percentiles_of_every_tier_after_corrections(database, latency):
    chance = random.Random(14)
    rows = make_rows(chance, 600, latency)
    await insert(database, rows)
    await merge_all(database)
    corrected = [
        row._replace(
            receive_time=NOW + MINUTE,
            latency_us=other.latency_us,
            latency_bucket=bucket_of(other.latency_us) if row.outcome == "success" else None,
        )
        for row, other in zip(rows[::3], make_rows(chance, 200, latency), strict=True)
    ]
    await upsert(database, corrected)
    rows[::3] = corrected
    for _ in range(2):  # before the corrections are merged, and after
        for tier in TIERS:
            start = MINUTES_FROM if tier == 1 else floor(NOW - 30 * DAY, DAY)
            ranges = [TierRange(tier, start, ceil(NOW, DAY))]
            async with database.connection() as connection:
                cells = await sum_rollups(connection, ranges, RollupFilter(project_id="default"))
            fill_metrics(shown := pb.Metrics(), Metrics(cells))
            assert_says(shown, [row for row in rows if row.start_time >= start])
        await merge_all(database)


@pytest.mark.parametrize("steps_at_once", [1, 7, 100])
async def test_long_series_are_read_in_pieces(analytics, database, monkeypatch, steps_at_once):
    """The pieces say what one read says, by group and by error code."""
    monkeypatch.setattr(aggregates, "_STEPS_AT_ONCE", steps_at_once)
    rows = make_rows(random.Random(12), 300)
    await insert(database, rows)
    start = floor(NOW - 40 * HOUR, HOUR) + 20 * MINUTE
    request = pb.QueryTimeSeriesRequest(
        time_range=to_time_range(Window(start, NOW)),
        step=to_duration(15 * MINUTE / timedelta(microseconds=1)),
        group_by=pb.DIMENSION_MODEL,
    )
    for merged in (False, True):
        found = await analytics.QueryTimeSeries(request)
        assert_series(found, within(rows, found.time_range), DIMENSIONS["model"][1])
        request.group_by = pb.DIMENSION_ERROR_CODE
        errors = await analytics.QueryTimeSeries(request)
        counted = Counter({s.group: sum(p.metrics.error_count for p in s.points) for s in errors.series})
        failed = [row for row in within(rows, errors.time_range) if row.outcome == "error"]
        assert counted == Counter(row.error_code for row in failed), f"{merged=}"
        request.group_by = pb.DIMENSION_MODEL
        await merge_all(database)


async def test_mergers_and_writers_at_once(database):
    chance = random.Random(5)
    batches = [make_rows(chance, 60) for _ in range(20)]

    async def merge_often() -> None:
        for _ in range(10):
            await merge_all(database)

    await asyncio.gather(
        *(upsert(database, batch) for batch in [*batches, *batches]),
        merge_often(),
        merge_often(),
        merge_often(),
    )
    await assert_rollups_are_right(database)


@pytest.mark.parametrize("limit", [1, 3, 1000])
async def test_groups_beyond_the_limit_are_counted_as_other(analytics, database, limit):
    """Also when the limit is changed later, and when a log that was counted so is corrected."""
    hour = floor(NOW, HOUR) - 2 * HOUR
    rows = [
        to_row(
            log_at(hour + n * MINUTE, model=f"m{n % 7}"), project_id="default", receive_time=NOW, prices=BOOK
        )
        for n in range(40)
    ]
    for place in range(0, 40, 10):
        await insert(database, rows[place : place + 10])
        await merge_all(database, max_groups=limit)
    await assert_rollups_are_right(database)
    corrected = [row._replace(receive_time=NOW + MINUTE, model=f"x{row.model}") for row in rows[::3]]
    await upsert(database, corrected)
    await merge_all(database, max_groups=limit + 2)
    await assert_rollups_are_right(database)
    found = await analytics.QueryBreakdown(pb.QueryBreakdownRequest(dimension=pb.DIMENSION_MODEL))
    assert found.total.request_count == 40
    assert len(found.rows) == (limit + 1 if limit < 7 else 14)
    other = sum(row.metrics.request_count for row in found.rows if row.group == "other")
    assert found.overflow_request_count == other
    assert (other > 0) == (limit < 7)


async def test_minutes_are_forgotten_and_hours_stay(analytics, database):
    rows = make_rows(random.Random(7), 300)
    await insert(database, rows)
    await merge_all(database)
    kept_from = floor(NOW, HOUR)
    await forget_minutes(database, kept_from=kept_from)
    await forget_minutes(database, kept_from=kept_from - DAY)  # what is gone stays gone
    await assert_rollups_are_right(database)
    await insert(database, make_rows(random.Random(8), 100))  # late logs of minutes that are gone
    await assert_rollups_are_right(database)
    arguments: dict[str, Any] = {"time_range": {"start_time": NOW - DAY, "end_time": NOW}}
    found = await analytics.GetSummary(pb.GetSummaryRequest(**arguments))
    assert found.time_range.start_time.ToDatetime(UTC) == floor(NOW - DAY, HOUR)
    assert found.time_range.end_time.ToDatetime(UTC) == ceil(NOW, MINUTE)
    arguments["step"] = 30 * MINUTE
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await analytics.QueryTimeSeries(pb.QueryTimeSeriesRequest(**arguments))
    assert info_of(error.value)[2] == ["step"]


async def test_counting_again_repairs_every_tier(database, sql):
    await insert(database, make_rows(random.Random(9), 200))
    await merge_all(database)
    await sql.execute("UPDATE rollups SET request_count = request_count + 1")
    await sql.execute("DELETE FROM rollups WHERE tier_minutes = 60")
    assert await verify_rollups(database)
    async with database.connection() as connection:
        days = await list_days(connection)
    for day in days:
        await count_again(database, day)
    await assert_rollups_are_right(database)


async def test_csv_raw_rows_and_every_tier_say_the_same(analytics, database, sql):
    rows = make_rows(random.Random(11), 300)
    await insert(database, rows)
    await merge_all(database)
    corrections = {"receive_time": NOW + MINUTE, "cost_nano_usd": 7, "output_token_count": 5}
    await upsert(database, [row._replace(**corrections) for row in rows[::4]])
    await assert_rollups_are_right(database)
    window: Any = {"start_time": floor(NOW - 30 * DAY, DAY), "end_time": ceil(NOW, DAY)}
    summary = await analytics.GetSummary(pb.GetSummaryRequest(time_range=window))
    exported = analytics.ExportLogsCsv(pb.ExportLogsCsvRequest(time_range=window))
    text = b"".join([each.chunk async for each in exported]).decode()
    table = list(csv.DictReader(io.StringIO(text)))
    raw = await sql.fetchrow(
        "SELECT count(*), sum(output_token_count), sum(cost_nano_usd), count(cost_nano_usd) FROM logs"
    )
    tiers = await sql.fetch(
        "SELECT sum(request_count), sum(output_token_sum), sum(cost_nano_usd_sum), sum(priced_count)"
        " FROM rollups WHERE tier_minutes >= 60 GROUP BY tier_minutes"
    )
    said = (
        summary.current.request_count,
        summary.current.output_token_count,
        summary.current.cost_nano_usd,
        summary.current.priced_count,
    )
    costs = [int(row["cost_nano_usd"]) for row in table if row["cost_nano_usd"]]
    tokens = sum(int(row["output_token_count"]) for row in table)
    assert (len(table), tokens, sum(costs), len(costs)) == said
    assert tuple(raw) == said
    assert [tuple(map(int, tier)) for tier in tiers] == [said] * 3

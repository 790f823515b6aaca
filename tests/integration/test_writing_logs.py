"""Rows and rollups agree for repeated, late, corrected and concurrent logs."""

from __future__ import annotations

import asyncio
import random
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from analytics.checks import verify_rollups
from codec.rows import to_row
from storage.logs import count_logs, get_log
from storage.pool import Database
from storage.rollups import RollupFilter, TierRange, sum_rollups
from tests.support.logs import make_log
from tests.support.packing import insert, upsert
from tests.support.prices import BOOK
from tests.support.rollups import assert_rollups_are_right, merge_all

NOW = datetime.now(UTC).replace(microsecond=0)


def row(receive_time=NOW, project_id="default", **fields):
    return to_row(make_log(**fields), project_id=project_id, receive_time=receive_time, prices=BOOK)


@pytest.fixture(params=[insert, upsert])
def write(request):
    """Both ways to write rows, which give the same result: try to insert all as new, or upsert them."""
    return request.param


async def totals(database: Database):
    """What both the tiers and the deltas that are not merged yet say."""
    ranges = [TierRange(1440, NOW - timedelta(days=40), NOW + timedelta(days=3))]
    async with database.connection() as connection:
        cells = await sum_rollups(connection, ranges, RollupFilter(project_id="default"))
    return cells[0].sums


async def test_a_redelivered_batch_changes_nothing(database, write):
    rows = [row() for _ in range(50)]
    first = await write(database, rows)
    again = await write(database, rows)
    assert (first.stored, again.stored, again.stale) == (50, 0, 50)
    assert (await totals(database))["request_count"] == 50
    await assert_rollups_are_right(database)


async def test_a_correction_replaces_the_log_in_row_and_rollup(database, write):
    before = row(outputTokenCount=20)
    after = before._replace(
        receive_time=NOW + timedelta(seconds=1), outcome="error", output_token_count=7, latency_bucket=None
    )
    await write(database, [before])
    result = await write(database, [after])
    assert (result.stored, result.replaced) == (0, 1)
    found = await totals(database)
    assert (found["request_count"], found["error_count"], found["output_token_sum"]) == (1, 1, 7)
    assert found["latency_count"] == 0
    await assert_rollups_are_right(database)


async def test_a_late_redelivery_does_not_undo_a_correction(database, write):
    old = row()
    new = old._replace(receive_time=NOW + timedelta(seconds=1), output_token_count=99)
    await write(database, [new])
    result = await write(database, [old])
    assert result.stale == 1
    assert (await totals(database))["output_token_sum"] == 99


@pytest.mark.parametrize("days", [1, 3, 60, 400])
async def test_a_correction_that_moves_start_time_leaves_one_row(database, write, days):
    before = row()
    after = before._replace(
        receive_time=NOW + timedelta(seconds=1), start_time=before.start_time - timedelta(days=days)
    )
    await write(database, [before])
    await write(database, [after])
    assert await count_logs(database, project_id="default") == 1
    found = await get_log(database, project_id="default", log_id=before.log_id)
    assert found is not None
    assert found.start_time == after.start_time
    await assert_rollups_are_right(database)


async def test_another_project_cannot_overwrite_a_log(database, write):
    mine = row()
    theirs = mine._replace(
        project_id="other", receive_time=NOW + timedelta(seconds=1), start_time=NOW - timedelta(days=2)
    )
    await write(database, [mine])
    result = await write(database, [theirs, row()])
    assert result.foreign_ids == {mine.log_id}
    assert result.stored == 1
    assert await get_log(database, project_id="other", log_id=mine.log_id) is None
    await assert_rollups_are_right(database)


async def test_the_last_duplicate_in_a_batch_wins(database, write):
    first = row()
    result = await write(database, [first, first._replace(output_token_count=1)])
    assert result.stored == 1
    assert (await totals(database))["output_token_sum"] == 1


async def test_maximum_int64_values_are_kept(database, sql, write):
    largest = 2**63 - 1
    await write(database, [row(inputTokenCount=str(largest)) for _ in range(3)])
    assert await sql.fetchval("SELECT sum(input_token_sum) FROM rollup_deltas") == 3 * largest
    assert (await totals(database))["input_token_sum"] == largest  # as the API has it
    await assert_rollups_are_right(database)


async def test_concurrent_writers_neither_deadlock_nor_miscount(database, write):
    chance = random.Random(1)
    pool = [row(model=f"m{n % 7}", provider=f"p{n % 3}") for n in range(300)]
    batches = []
    for number in range(40):
        picked = chance.sample(pool, 60)
        receive_time = NOW + timedelta(seconds=number)
        moved = NOW - timedelta(hours=chance.randrange(60))
        batches.append([each._replace(receive_time=receive_time, start_time=moved) for each in picked])
    await asyncio.gather(*(write(database, batch) for batch in [*batches, *batches]))
    assert await count_logs(database, project_id="default") == len(
        {each.log_id for batch in batches for each in batch}
    )
    await assert_rollups_are_right(database)


async def test_the_content_received_last_wins_within_a_write(database, write):
    before = row(outputTokenCount=20)
    after = before._replace(receive_time=NOW + timedelta(seconds=1), output_token_count=7)
    await write(database, [after, before])
    assert (await totals(database))["output_token_sum"] == 7
    await write(database, [before._replace(output_token_count=1), after, before])
    assert (await totals(database))["output_token_sum"] == 7
    await assert_rollups_are_right(database)


@pytest.mark.parametrize("tier", [60, 360, 1440])
@pytest.mark.parametrize(
    ("wrong", "differs_in"),
    [
        ("output_token_sum = output_token_sum + 1", "sums"),
        ("latency_sketch = latency_sketch || pack_bucket(700::smallint, 1)", "latency_sketch"),
        ("ttft_sketch = ttft_sketch || pack_bucket(3::smallint, 5)", "ttft_sketch"),
        ("error_codes = pack_text('no_such', 1)", "error_codes"),
    ],
)
async def test_verify_reports_a_wrong_number(database, sql, write, tier, wrong, differs_in):
    await write(database, [row()])
    await merge_all(database)
    await sql.execute(f"UPDATE rollups SET {wrong} WHERE tier_minutes = $1", tier)
    differences = await verify_rollups(database)
    assert [(each.tier_minutes, each.differs_in) for each in differences] == [(tier, differs_in)]


async def test_an_unknown_log_is_none(database):
    assert await get_log(database, project_id="default", log_id=uuid.uuid4()) is None


async def test_a_row_without_a_log_key_is_replaced_and_counted_once(database, sql, write):
    """Retention drops keys by the time in their id, which may be older than the row's."""
    kept, fresh = row(), row()
    await write(database, [kept])
    await sql.execute("DELETE FROM log_keys WHERE log_id = $1", kept.log_id)
    result = await write(database, [kept._replace(output_token_count=7), fresh])
    assert (result.stored, result.replaced) == (1, 1)
    assert (await totals(database))["output_token_sum"] == 27
    await assert_rollups_are_right(database)


async def test_the_same_new_logs_from_concurrent_writers_are_stored_once(database, write):
    rows = [row(model=f"m{n % 5}") for n in range(400)]
    results = await asyncio.gather(*(write(database, chosen) for chosen in (rows, rows[::-1], rows[100:300])))
    assert sum(result.stored for result in results) == 400
    assert (await totals(database))["request_count"] == 400
    await assert_rollups_are_right(database)


async def test_insert_and_upsert_store_the_same_row(database):
    """Every column, with and without a value."""
    full = row(
        metadata={"k": "v"}, tags=["t"], endTime="2026-11-25T10:00:00Z", timeToFirstToken="0.1s",
        firstTokenTime="2026-11-25T09:00:00Z", streamed=True, cacheReadTokenCount="1", httpStatus=200,
    )  # fmt: skip
    for each in (full, row()):
        again = each._replace(log_id=uuid.uuid4())
        await upsert(database, [each])
        await insert(database, [again])
        first = await get_log(database, project_id="default", log_id=each.log_id)
        second = await get_log(database, project_id="default", log_id=again.log_id)
        assert first is not None
        assert second is not None
        assert first._replace(log_id=again.log_id) == second
    await assert_rollups_are_right(database)

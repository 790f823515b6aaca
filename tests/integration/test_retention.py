"""Retention drops whole days of logs; the rollups still count each log, once."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from llm_observe import ids

from storage.logs import count_logs
from storage.partitions import apply_retention
from tests.integration.test_writing_logs import row, totals
from tests.support.packing import insert
from tests.support.rollups import assert_rollups_are_right

NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.date()


def row_of(days_ago: int, **changes):
    return row()._replace(start_time=NOW - timedelta(days=days_ago), **changes)


async def partitions(sql) -> set[str]:
    found = await sql.fetch(
        "SELECT relid::regclass::text AS name FROM pg_partition_tree('logs') WHERE isleaf"
    )
    return {entry["name"] for entry in found}


async def requests(database) -> int:
    return int((await totals(database))["request_count"])


async def test_old_days_are_dropped_and_their_rollups_kept(database, sql):
    await insert(database, [row_of(days) for days in (0, 1, 2, 3, 20, 35)])
    done = await apply_retention(database, TODAY, 2)
    assert done.dropped > 0
    assert await count_logs(database, project_id="default") == 3
    assert await requests(database) == 6
    kept = min(name for name in await partitions(sql) if name != "logs_default")
    assert kept == f"logs_{TODAY - timedelta(days=2):%Y%m%d}"
    await assert_rollups_are_right(database)
    assert (await apply_retention(database, TODAY, 2)).dropped == 0


async def test_nothing_is_dropped_without_a_retention_setting(database, sql):
    before = await partitions(sql)
    await insert(database, [row_of(35)])
    assert (await apply_retention(database, TODAY, 0)).dropped == 0
    assert await partitions(sql) == before
    assert await count_logs(database, project_id="default") == 1


@pytest.mark.parametrize("change", [{}, {"output_token_count": 999}], ids=["again", "corrected"])
async def test_a_dropped_log_sent_again_is_not_counted_again(database, change):
    old = row_of(10)
    await insert(database, [old])
    await apply_retention(database, TODAY, 5)
    again = old._replace(receive_time=NOW + timedelta(seconds=1), **change)
    result = await insert(database, [again])
    assert (result.stored, result.stale) == (0, 1)
    assert await requests(database) == 1
    await assert_rollups_are_right(database)


async def test_a_late_log_of_a_dropped_day_is_counted_and_dropped_next_time(database):
    await apply_retention(database, TODAY, 5)
    late = row_of(10)
    assert (await insert(database, [late])).stored == 1
    await apply_retention(database, TODAY, 5)
    assert await count_logs(database, project_id="default") == 0
    assert await requests(database) == 1
    assert (await insert(database, [late])).stale == 1
    await assert_rollups_are_right(database)


async def test_kept_days_move_out_of_the_default_partition(database, sql):
    await insert(database, [row_of(50), row_of(70)])
    await apply_retention(database, TODAY, 60)
    assert f"logs_{TODAY - timedelta(days=50):%Y%m%d}" in await partitions(sql)
    assert await count_logs(database, project_id="default") == 1
    await assert_rollups_are_right(database)


async def test_old_log_keys_of_both_kinds_are_deleted(database, sql):
    long_ago = NOW - timedelta(days=20)
    timed = uuid.UUID(
        int=(int(long_ago.timestamp() * 1000) << 80) | (uuid.UUID(ids.uuid7()).int & (2**80 - 1))
    )
    rows = [row_of(20, receive_time=long_ago), row_of(20, receive_time=long_ago, log_id=timed), row_of(0)]
    await insert(database, rows)
    await apply_retention(database, TODAY, 5)
    left = await sql.fetch("SELECT log_id FROM log_keys")
    assert [entry["log_id"] for entry in left] == [rows[2].log_id]


async def test_concurrent_writers_lose_nothing_and_count_nothing_twice(database):
    rows = [row_of(days % 12) for days in range(240)]
    await insert(database, rows[:120])

    async def correct(chosen):
        corrected = [
            each._replace(receive_time=NOW + timedelta(seconds=1), output_token_count=5) for each in chosen
        ]
        return await insert(database, corrected)

    async def retire():
        return await apply_retention(database, TODAY, 6)

    writing = [correct(rows[start : start + 12]) for start in range(0, 240, 12)]
    await asyncio.gather(*writing[:10], retire(), *writing[10:])
    assert await requests(database) == 240
    await assert_rollups_are_right(database)

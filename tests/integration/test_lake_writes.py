"""What the lake costs writers: one look into an index, and no deadlock."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest

from codec.extensions import add_up
from storage import log_writes
from storage.columns import LOG_COLUMNS
from storage.copy_format import unpack_tuple
from storage.lake import list_hours, seal_hours
from tests.support.lake import START, row_at
from tests.support.packing import insert, packed, upsert
from tests.support.waiting import eventually

DAY = timedelta(days=1)
IS_WAITING = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'log_keys'::regclass"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
MANY_HOURS = """
INSERT INTO lake_hours (project_id, hour)
SELECT 'p' || p, timestamptz '2024-01-01+00' + h * interval '1 hour'
FROM generate_series(1, 10) AS p, generate_series(0, 4999) AS h
"""


def columns_of(logs):
    rows = [unpack_tuple(log.packed_row, LOG_COLUMNS) for log in logs]
    names = [column.name for column in LOG_COLUMNS]
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


@pytest.mark.parametrize("name", ["mark_new_hours", "write_logs"])
async def test_writers_find_sealed_hours_by_index(sql, name):
    await sql.execute(MANY_HOURS)
    await sql.execute("ANALYZE lake_hours")
    logs = [packed(row_at(number / 100)) for number in range(500)]
    values = log_writes.hours_of(add_up(logs)) if name == "mark_new_hours" else columns_of(logs)
    query = log_writes._QUERIES[name]
    plan = "\n".join(
        row[0] for row in await sql.fetch(f"EXPLAIN ANALYZE {query.text}", *query.args(**values))
    )
    assert "Seq Scan on lake_hours" not in plan
    assert "lake_hours_pkey" in plan


async def test_writers_of_the_same_sealed_hours_do_not_deadlock(database, sql):
    """Corrections move logs between the same hours in every direction, from many connections at once."""
    chance = random.Random(1)
    rows = [row_at(chance.random() * 8) for _ in range(160)]
    await insert(database, rows)
    await seal_hours(database, start=START, end=START + DAY, project_id=None)
    before = {
        each.hour: each.generation
        for each in await list_hours(database, start=START, end=START + DAY, project_id="default")
    }

    async def move(part) -> None:
        for age in range(1, 4):
            await upsert(
                database,
                [
                    row._replace(
                        receive_time=START + age * DAY,
                        start_time=START + timedelta(hours=chance.random() * 8),
                    )
                    for row in part
                ],
            )

    await asyncio.gather(*(move(rows[number::8]) for number in range(8)))
    after = await list_hours(database, start=START, end=START + DAY, project_id="default")
    assert all(each.generation > before[each.hour] for each in after)
    assert (
        await sql.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    )


@pytest.mark.parametrize("write", [insert, upsert])
async def test_no_mark_is_lost(database, write):
    await insert(database, [row_at(0)])
    await seal_hours(database, start=START, end=START + DAY, project_id=None)
    await asyncio.gather(*(write(database, [row_at(0.5)]) for _ in range(20)))
    (hour,) = await list_hours(database, start=START, end=START + DAY, project_id="default")
    assert hour.generation == 1 + 20


async def test_sealing_sees_writers_in_work_or_is_seen_by_them(database, sql):
    """A writer that began before an hour is sealed is waited for; one that begins later marks the hour."""
    await insert(database, [row_at(0)])
    async with sql.transaction():
        await sql.execute("LOCK TABLE ONLY log_keys IN ROW EXCLUSIVE MODE")  # what every writer does first
        sealing = asyncio.create_task(seal_hours(database, start=START, end=START + DAY, project_id=None))

        await eventually(lambda: sql.fetchval(IS_WAITING))
        assert not sealing.done()
    assert await sealing == 1
    await insert(database, [row_at(0.5)])
    (hour,) = await list_hours(database, start=START, end=START + DAY, project_id="default")
    assert hour.generation == 2

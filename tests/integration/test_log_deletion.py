"""Deleting an environment's logs leaves every other number right, whatever happens at the same time."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from codec.rows import to_row
from storage import log_deletion
from storage.log_deletion import count_by_hour, delete_logs
from storage.logs import count_logs
from storage.partitions import apply_retention
from storage.rollup_merges import count_again, list_days
from tests.support.logs import make_log
from tests.support.packing import insert, upsert
from tests.support.prices import BOOK
from tests.support.rollups import assert_rollups_are_right, merge_all

NOW = datetime.now(UTC).replace(microsecond=0)
DEMO = {"project_id": "default", "environment": "demo"}


def make_rows(
    chance: random.Random, count: int, *, project_id="default", environments=("demo", "production")
):
    return [
        to_row(
            make_log(
                model=f"m{chance.randrange(5)}",
                environment=chance.choice(environments),
                outcome=chance.choice(("OUTCOME_SUCCESS", "OUTCOME_ERROR", "OUTCOME_CANCELLED")),
                errorCode=chance.choice(("", "timeout")),
                timeToFirstToken="0.1s",
            ),
            project_id=project_id,
            receive_time=NOW,
            prices=BOOK,
        )._replace(start_time=NOW - timedelta(minutes=chance.randrange(6 * 1440)))
        for _ in range(count)
    ]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(log_deletion, "_ROWS_AT_ONCE", 7)


async def delete(database, **kwargs) -> int:
    wanted = {**DEMO, **kwargs}
    hours = await count_by_hour(database, **wanted)
    seen: list[int] = []
    deleted = await delete_logs(database, hours, **wanted, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1:] == ([deleted] if deleted else [])
    return deleted


async def counted(sql, environment="demo") -> int:
    """What the rollups, and deltas that are not merged yet, count of an environment in the day's tier."""
    count: int = await sql.fetchval(
        "SELECT (SELECT coalesce(sum(request_count), 0) FROM rollups"
        "        WHERE environment = $1 AND tier_minutes = 1440)::bigint"
        " + (SELECT coalesce(sum(request_count), 0) FROM rollup_deltas WHERE environment = $1)::bigint",
        environment,
    )
    return count


@pytest.mark.parametrize("merged", [True, False])
async def test_exactly_the_environment_of_the_project_goes(database, sql, merged):
    chance = random.Random(1)
    mine, theirs = make_rows(chance, 200), make_rows(chance, 40, project_id="other")
    await insert(database, [*mine, *theirs])
    if merged:
        await merge_all(database)
    demo = [row for row in mine if row.environment == "demo"]
    assert await delete(database) == len(demo)
    assert await count_logs(database, project_id="default") == len(mine) - len(demo)
    assert await count_logs(database, project_id="other") == len(theirs)
    assert await counted(sql) == sum(row.environment == "demo" for row in theirs)
    await assert_rollups_are_right(database)


async def test_deleting_twice_deletes_once_and_the_ids_can_be_used_again(database, sql):
    rows = make_rows(random.Random(2), 60, environments=("demo",))
    await insert(database, rows)
    assert (await delete(database), await delete(database)) == (60, 0)
    assert await sql.fetchval("SELECT count(*) FROM log_keys") == 0
    assert (await insert(database, rows)).stored == 60
    assert await counted(sql) == 60
    await assert_rollups_are_right(database)


async def test_a_deletion_that_was_interrupted_is_finished_by_the_next(database, sql):
    await insert(database, make_rows(random.Random(3), 80))
    hours = await count_by_hour(database, **DEMO)

    class InterruptionError(Exception):
        pass

    def interrupt(_deleted: int) -> None:
        raise InterruptionError

    with pytest.raises(InterruptionError):
        await delete_logs(database, hours, **DEMO, on_progress=interrupt)
    await assert_rollups_are_right(database)
    left = sum(hour.log_count for hour in await count_by_hour(database, **DEMO))
    assert 0 < left < sum(hour.log_count for hour in hours)
    assert await delete(database) == left
    assert await counted(sql) == 0
    await assert_rollups_are_right(database)


async def test_writers_the_merger_and_a_second_deletion_at_once(database, sql):
    """Corrections move logs into and out of the environment while it is deleted, twice at once."""
    chance = random.Random(4)
    rows = make_rows(chance, 300)
    await insert(database, rows)

    def correct(row, age: int):
        return row._replace(
            receive_time=NOW + timedelta(seconds=age),
            environment=chance.choice(("demo", "production")),
            output_token_count=age,
            start_time=row.start_time - timedelta(minutes=chance.choice((0, 0, 2000))),
        )

    async def write() -> None:
        for age in range(1, 15):
            await upsert(database, [correct(row, age) for row in chance.sample(rows, 40)])
            await insert(database, make_rows(chance, 10))

    async def merge() -> None:
        for _ in range(20):
            await merge_all(database)

    async def rebuild() -> None:
        async with database.connection() as connection:
            days = await list_days(connection)
        for day in days:
            await count_again(database, day)

    await asyncio.gather(write(), write(), merge(), rebuild(), delete(database), delete(database))
    await assert_rollups_are_right(database)
    await delete(database)
    assert await counted(sql) == 0
    await assert_rollups_are_right(database)


async def test_what_is_counted_of_days_that_retention_dropped_goes_too(database, sql):
    chance = random.Random(5)
    rows = make_rows(chance, 200)
    await insert(database, rows)
    await merge_all(database)
    await apply_retention(database, NOW.date(), 3)
    production = sum(row.environment == "production" for row in rows)
    assert await delete(database) < len(rows) - production
    assert await counted(sql) == 0
    assert await counted(sql, "production") == production
    await assert_rollups_are_right(database)


async def test_logs_without_a_key_are_deleted(database, sql):
    """Retention drops keys by the time in the id, which is the producer's to choose."""
    await insert(database, make_rows(random.Random(6), 20, environments=("demo",)))
    await sql.execute("DELETE FROM log_keys")
    assert await delete(database) == 20
    await assert_rollups_are_right(database)

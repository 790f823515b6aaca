"""Breakdowns say what the logs say, whichever digests there are and whatever happens to the logs."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest

from analytics import digest_making, log_breakdowns
from analytics.digest_making import make_digests
from analytics.log_breakdowns import break_down_by_logs
from analytics.packed_counts import count_buckets
from analytics.windows import Window
from codec.rows import to_row
from storage import log_digests, pool
from storage.columns import ROLLUP_SUMS, SKETCH_COUNTS
from storage.errors import StorageUnavailable
from storage.log_breakdowns import break_down_logs
from storage.log_deletion import count_by_hour, delete_logs
from storage.log_digests import DIMENSIONS, Span, add_digests, read_generations
from storage.log_erasure import begin_erasure, erase_logs, find_user
from storage.partitions import apply_retention, get_kept_from
from storage.rollups import RollupFilter
from tests.support.lake import START, row_at
from tests.support.packing import insert, upsert
from tests.support.prices import BOOK
from tests.support.random_logs import random_log
from tests.support.waiting import eventually
from worker.tasks.make_digests import DigestMaker

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ALL = RollupFilter(project_id="default")
LATER = START + 2 * DAY + HOUR
COUNT = "SELECT count(*) FROM log_digests WHERE groups IS NOT NULL"
NAMED = "SELECT count(*) FROM log_digests WHERE position(convert_to($1, 'UTF8') IN groups) > 0"


def maker(database, now=LATER) -> DigestMaker:
    return DigestMaker(database, now=lambda: now)


async def said_by_logs(database, window, group_by, limit):
    async with database.connection() as connection, connection.transaction(read_only=True):
        kept_from = await get_kept_from(connection)
        window = (max(window.start, kept_from), max(window.end, kept_from))
        return await break_down_logs(connection, window, ALL, group_by, limit)


def read(cells) -> list[tuple]:
    return [
        (
            cell.group_value,
            {each.name: cell.sums[each.name] for each in ROLLUP_SUMS},
            {each.name: count_buckets(cell.packed[each.name]) for each in SKETCH_COUNTS},
        )
        for cell in cells
    ]


def added_up(cells) -> dict[str, int]:
    return {each.name: min(2**63 - 1, sum(cell.sums[each.name] for cell in cells)) for each in ROLLUP_SUMS}


async def assert_same(database, window, *, limit=3, dimensions=DIMENSIONS):
    for group_by in dimensions:
        found = await break_down_by_logs(database, window, ALL, group_by, limit)
        groups, total = await said_by_logs(database, found.window, group_by, limit)
        assert read(found.groups) == read(groups), group_by
        assert added_up(found.total) == added_up(total), group_by


def random_rows(chance, count, hours=30):
    rows = [
        to_row(random_log(chance, START), project_id="default", receive_time=START, prices=BOOK)
        for _ in range(count)
    ]
    return [
        row._replace(
            start_time=START + timedelta(minutes=chance.randrange(hours * 60)),
            user_id=f"user-{chance.randrange(12)}" if row.user_id else "",
            cost_nano_usd=chance.choice((None, 0, 5)),
        )
        for row in rows
    ]


class History:
    """Logs to which things happen."""

    def __init__(self, database, chance) -> None:
        self.database = database
        self.chance = chance
        self.rows: list = []
        self.age = 0

    async def add(self) -> None:
        rows = random_rows(self.chance, self.chance.randrange(1, 60))
        self.rows += rows
        await insert(self.database, rows)

    async def correct(self) -> None:
        self.age += 1
        changed = random_rows(self.chance, min(5, len(self.rows)))
        old = self.chance.sample(self.rows, len(changed))
        times = [self.chance.choice((a.start_time, b.start_time)) for a, b in zip(old, changed, strict=True)]
        await upsert(
            self.database,
            [
                new._replace(log_id=row.log_id, receive_time=START + self.age * HOUR, start_time=time)
                for row, new, time in zip(old, changed, times, strict=True)
            ],
        )

    async def delete(self) -> None:
        which = {"project_id": "default", "environment": "staging"}
        hours = self.chance.sample(found := await count_by_hour(self.database, **which), len(found) // 3)
        await delete_logs(self.database, hours, **which, on_progress=lambda _: None)

    async def erase(self) -> None:
        user = f"user-{self.chance.randrange(12)}"
        await erase_user(self.database, user)

    async def drop(self) -> None:
        await apply_retention(self.database, (START + 2 * DAY).date(), 1)

    async def digest(self) -> None:
        await maker(self.database, START + self.chance.randrange(20, 60) * HOUR).make()


async def erase_user(database, user_id: str) -> None:
    found = await find_user(database, project_id="default", user_id=user_id)
    erasure_id = uuid4()
    await begin_erasure(database, found.user, erasure_id=erasure_id, operator="test")
    await erase_logs(database, found.user, found.hours, erasure_id=erasure_id, on_progress=lambda _: None)


@pytest.mark.parametrize("seed", range(3))
async def test_answers_are_those_of_the_logs_whatever_happens(database, sql, seed):
    chance = random.Random(seed)
    history = History(database, chance)
    things = [history.add, history.correct, history.digest, history.digest, history.delete, history.erase]
    await history.add()
    used = 0
    for number in range(14):
        await (history.drop if number == 11 else chance.choice(things))()
        used += await sql.fetchval(COUNT)
        start = START + timedelta(minutes=chance.randrange(36 * 60))
        window = Window(start, start + timedelta(minutes=chance.choice((61, 300, 2880))))
        await assert_same(database, window, dimensions=[chance.choice(DIMENSIONS)])
    await history.digest()
    await assert_same(database, Window(START - DAY, START + 3 * DAY), limit=500)
    assert used > 100


async def test_days_and_weeks_are_made_of_hours_and_read_instead_of_them(database, sql):
    """A week that is full in every hour, and one log more in the last."""
    week = START - (START - log_digests.datetime(1970, 1, 1, tzinfo=START.tzinfo)) % (7 * DAY) - 7 * DAY
    offset = (week - START) / HOUR
    rows = [row_at(offset + hour, user_id=f"user-{hour % 5}") for hour in range(168)]
    await insert(database, [*rows, row_at(offset + 167.5, user_id="late")])
    await maker(database).make()
    tiers = await sql.fetch("SELECT tier_minutes, count(*) FROM log_digests GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in tiers] == [(60, 4 * 168), (1440, 4 * 7), (10_080, 4)]
    window = Window(week, week + 7 * DAY)
    await assert_same(database, window, limit=500)
    # Nothing but the digest of the week is needed.
    await sql.execute("DELETE FROM log_digests WHERE tier_minutes < 10080")
    await sql.execute("DELETE FROM logs")
    found = await break_down_by_logs(database, window, ALL, "user", 500)
    assert [(each.group_value, each.sums["request_count"]) for each in found.groups] == [
        ("user-0", 34), ("user-1", 34), ("user-2", 34), ("user-3", 33), ("user-4", 33), ("late", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("write", [insert, upsert])
async def test_a_writer_takes_the_digests_of_its_hour_day_and_week_and_no_others(database, sql, write):
    await insert(database, [row_at(hour) for hour in range(48)])
    await maker(database).make()
    assert await sql.fetchval("SELECT count(*) FROM log_digests") == 4 * (48 + 2)
    await write(database, [row_at(30.5)])
    gone = START + 30 * HOUR
    assert await sql.fetchval("SELECT count(*) FROM log_digests") == 4 * (47 + 1)
    assert await sql.fetchval("SELECT count(*) FROM log_digests WHERE start_time = $1", gone) == 0
    await assert_same(database, Window(START, START + 2 * DAY))
    await maker(database).make()
    assert await sql.fetchval("SELECT count(*) FROM log_digests") == 4 * (48 + 2)


async def test_a_log_that_comes_while_a_digest_is_made_keeps_it_from_being_added(database, sql, monkeypatch):
    await insert(database, [row_at(0.5, user_id="first")])
    add = add_digests

    async def add_late(*arguments):
        await insert(database, [row_at(0.6, user_id="second")])
        return await add(*arguments)

    monkeypatch.setattr(digest_making, "add_digests", add_late)
    monkeypatch.setattr("worker.tasks.make_digests._SPANS_AT_ONCE", 5)
    assert await maker(database).make() == 0
    assert await sql.fetchval(COUNT) == 0
    monkeypatch.setattr(digest_making, "add_digests", add)
    assert await maker(database).make() == 1
    await assert_same(database, Window(START, START + HOUR))


async def test_a_writer_waits_for_a_digest_that_is_being_added_and_takes_it(database, sql):
    """Between the last look at the generation and the commit nothing gets in."""
    await insert(database, [row_at(0.5)])
    await maker(database).make()
    made = await sql.fetch("SELECT * FROM log_digests")
    await sql.execute("DELETE FROM log_digests")
    async with sql.transaction():
        await sql.execute(log_digests._QUERIES["lock_generations"].text, "default", START, START + HOUR)
        writing = asyncio.create_task(insert(database, [row_at(0.6)]))
        await eventually(
            lambda: sql.fetchval(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid())"
            )
        )
        assert not writing.done()
        await sql.copy_records_to_table("log_digests", records=[tuple(row) for row in made])
    await writing
    assert await sql.fetchval(COUNT) == 0
    await assert_same(database, Window(START, START + HOUR))


async def test_retention_keeps_a_digest_of_a_dropped_day_from_being_added(database, sql):
    await insert(database, [row_at(0.5)])
    span = Span("default", START, 60)
    await maker(database).make()
    await sql.execute("DELETE FROM log_digests")
    async with database.connection() as connection:
        async with connection.transaction(read_only=True):
            generations = await read_generations(connection, span)
        await apply_retention(database, (START + 2 * DAY).date(), 1)
        assert not await add_digests(connection, span, generations, [])
        assert not await make_digests(connection, span)
    assert await maker(database).make() == 0
    assert await sql.fetchval("SELECT count(*) FROM log_digests") == 0


async def test_retention_takes_the_digests_of_what_it_drops(database, sql):
    await insert(database, [row_at(hour) for hour in (0.5, 23.5, 24.5)])
    await maker(database).make()
    await apply_retention(database, (START + 2 * DAY).date(), 1)
    left = await sql.fetch("SELECT DISTINCT start_time FROM log_digests")
    assert [row["start_time"] for row in left] == [START + DAY]
    await assert_same(database, Window(START - DAY, START + 3 * DAY))


async def test_an_erased_user_is_in_no_digest(database, sql):
    rows = [row_at(hour, user_id="mallory", session_id="hers", tags='["private"]') for hour in range(24)]
    await insert(database, [*rows, *(row_at(hour, user_id="alice") for hour in range(24))])
    await maker(database).make()
    names = ("mallory", "hers", "private")
    assert [await sql.fetchval(NAMED, name) for name in names] == [25, 25, 25]
    await erase_user(database, "mallory")
    assert [await sql.fetchval(NAMED, name) for name in names] == [0, 0, 0]
    await maker(database).make()
    assert [await sql.fetchval(NAMED, name) for name in (*names, "alice")] == [0, 0, 0, 25]
    await assert_same(database, Window(START, START + DAY))


async def test_makers_that_are_killed_leave_nothing_wrong(database, sql, monkeypatch):
    """Each query in turn is the one at which the maker loses its connection."""
    await insert(database, random_rows(random.Random(5), 40, hours=3))
    fetch, left = pool.Connection.fetch, 0

    async def fetch_or_die(self, query, **values):
        nonlocal left
        left -= 1
        if left == 0:
            raise StorageUnavailable("killed")
        return await fetch(self, query, **values)

    monkeypatch.setattr(pool.Connection, "fetch", fetch_or_die)
    killed = True
    for number in range(1, 200, 3):
        left = number
        try:
            await maker(database).make()
        except StorageUnavailable:
            left = -1
            await assert_same(database, Window(START, START + 4 * HOUR), dimensions=["user"])
            await sql.execute("DELETE FROM log_digests")
        else:
            killed, left = False, -1
            break
    assert not killed
    await assert_same(database, Window(START, START + 4 * HOUR))


async def test_one_maker_at_a_time(database):
    await insert(database, [row_at(0.5), row_at(1.5)])
    async with database.connection() as connection:
        assert await log_digests.try_lock(connection)
        assert await maker(database).make() == 0
    assert sorted(await asyncio.gather(*(maker(database).make() for _ in range(3)))) == [0, 0, 2]


async def test_hours_that_are_not_over_have_no_digests(database, sql):
    await insert(database, [row_at(0.5), row_at(1.5)])
    assert await maker(database, START + HOUR + timedelta(minutes=9)).make() == 0
    assert await maker(database, START + HOUR + timedelta(minutes=10)).make() == 1
    await assert_same(database, Window(START, START + 2 * HOUR))


async def test_hours_with_too_many_groups_are_read_from_logs(database, sql, monkeypatch):
    await insert(database, [row_at(hour / 100, user_id=f"user-{hour}") for hour in range(240)])
    monkeypatch.setattr("worker.tasks.make_digests.make_digests", partial(make_digests, max_groups=50))
    await maker(database).make()
    empty = await sql.fetch("SELECT DISTINCT dimension FROM log_digests WHERE groups IS NULL")
    assert [row["dimension"] for row in empty] == ["user"]
    assert await maker(database).make() == 0
    await assert_same(database, Window(START, START + 3 * HOUR), limit=500)
    monkeypatch.setattr(log_breakdowns, "MAX_LOG_GROUPS", 10)
    await assert_same(database, Window(START, START + 3 * HOUR), limit=500)


async def test_logs_of_another_project_are_not_touched(database, sql):
    await insert(database, [row_at(0.5), row_at(0.5, project_id="other", user_id="theirs")])
    await maker(database).make()
    await assert_same(database, Window(START, START + HOUR))
    await insert(database, [row_at(0.6)])
    assert await sql.fetch("SELECT DISTINCT project_id FROM log_digests") == [("other",)]


async def test_writers_of_one_day_do_not_deadlock(database, sql):
    """They all delete the digests of the day, from many connections at once, again and again."""
    await insert(database, [row_at(hour) for hour in range(24)])
    for _ in range(3):
        await maker(database).make()
        await asyncio.gather(
            *(insert(database, [row_at(hour + 0.1), row_at(23 - hour + 0.1)]) for hour in range(12))
        )
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert await sql.fetchval(deadlocks) == 0
    assert await sql.fetchval(COUNT) == 0

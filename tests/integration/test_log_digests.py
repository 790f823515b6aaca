"""Breakdowns say what the logs say, whichever digests there are and whatever happens to the logs."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from analytics import digest_making, log_breakdowns
from analytics.digest_making import make_digest
from analytics.log_breakdowns import break_down_by_logs
from analytics.packed_counts import count_buckets
from analytics.windows import Window, floor
from codec.rows import to_row
from storage import log_digests, pool, repricing
from storage.columns import ROLLUP_SUMS, SKETCH_COUNTS
from storage.errors import StorageUnavailable
from storage.log_breakdowns import break_down_logs
from storage.log_deletion import count_by_hour, delete_logs
from storage.log_digests import DIMENSIONS, Span, begin_making, finish_making
from storage.log_erasure import begin_erasure, erase_logs, find_user
from storage.partitions import apply_retention, get_kept_from
from storage.rollup_merges import count_again
from storage.rollups import RollupFilter
from tests.support.lake import START, row_at
from tests.support.packing import insert, upsert
from tests.support.prices import BOOK
from tests.support.random_logs import random_log
from tests.support.rollups import merge_all
from tests.support.waiting import eventually
from worker.tasks.make_digests import DigestMaker

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ALL = RollupFilter(project_id="default")
SOON = START + 4 * HOUR
LATER = START + 2 * DAY + HOUR
COUNT = "SELECT count(*) FROM log_digests WHERE making IS NULL"
NAMED = """
SELECT count(*) FROM log_digests
WHERE position(convert_to($1, 'UTF8') IN user_groups || session_groups || tag_groups) > 0
"""


async def make(database, now=SOON) -> int:
    """Merge what waits and make digests, as a worker does."""
    await merge_all(database)
    return await DigestMaker(database, now=lambda: now).make()


async def said_by_logs(database, window, group_by, limit):
    async with database.connection() as connection, connection.transaction(read_only=True):
        kept_from = await get_kept_from(connection)
        window = (max(window.start, kept_from), max(window.end, kept_from))
        return await break_down_logs(connection, window, ALL, group_by, limit)


def read(cells) -> list[tuple[Any, ...]]:
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


def random_rows(chance, count, hours=6):
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
        self.rows: list[Any] = []
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
        await make(self.database, START + self.chance.randrange(4, 32) * timedelta(minutes=15))

    async def merge(self) -> None:
        await merge_all(self.database)


async def erase_user(database, user_id: str) -> None:
    found = await find_user(database, project_id="default", user_id=user_id)
    erasure_id = uuid4()
    await begin_erasure(database, found.user, erasure_id=erasure_id, operator="test")
    await erase_logs(database, found.user, found.hours, erasure_id=erasure_id, on_progress=lambda _: None)


@pytest.mark.parametrize("seed", range(3))
async def test_answers_are_those_of_the_logs_whatever_happens(database, sql, seed):
    chance = random.Random(seed)
    history = History(database, chance)
    things = [history.add, history.correct, history.delete, history.erase, history.merge]
    things += [history.digest] * 2
    await history.add()
    used = 0
    for number in range(14):
        await (history.drop if number == 11 else chance.choice(things))()
        used += await sql.fetchval(COUNT)
        start = START + timedelta(minutes=chance.randrange(5 * 60))
        window = Window(start, start + timedelta(minutes=chance.choice((61, 200, 2880))))
        await assert_same(database, window, dimensions=[chance.choice(DIMENSIONS)])
    await history.digest()
    await assert_same(database, Window(START - DAY, START + 3 * DAY), limit=500)
    assert used > 20


async def test_days_and_weeks_are_made_of_hours_and_read_instead_of_them(database, sql):
    """A week with logs on each day, and one log more in its last hour."""
    week = floor(START, 7 * DAY) - 7 * DAY
    offset = (week - START) / HOUR
    rows = [row_at(offset + hour * 8, user_id=f"user-{hour % 5}") for hour in range(21)]
    await insert(database, [*rows, row_at(offset + 167.5, user_id="late")])
    await make(database, LATER)
    tiers = await sql.fetch("SELECT tier_minutes, count(*) FROM log_digests GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in tiers] == [(60, 168), (1440, 7), (10_080, 1)]
    window = Window(week, week + 7 * DAY)
    await assert_same(database, window, limit=500)
    # Nothing but the digest of the week is needed.
    await sql.execute("DELETE FROM log_digests WHERE tier_minutes < 10080")
    await sql.execute("DELETE FROM logs")
    found = await break_down_by_logs(database, window, ALL, "user", 500)
    assert [(each.group_value, each.sums["request_count"]) for each in found.groups] == [
        ("user-0", 5), ("user-1", 4), ("user-2", 4), ("user-3", 4), ("user-4", 4), ("late", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("write", [insert, upsert])
async def test_a_change_takes_the_digests_around_it_and_no_others(database, sql, write):
    over = START + 25 * HOUR
    await insert(database, [row_at(1)])
    await make(database, over)
    tiers = "SELECT tier_minutes, count(*) FROM log_digests GROUP BY 1 ORDER BY 1"
    before = [tuple(row) for row in await sql.fetch(tiers)]
    assert before == [(15, 24 * 4), (60, 24), (1440, 1)]
    await write(database, [row_at(6.5)])
    # Until it is merged they are there, and nobody reads them.
    assert [tuple(row) for row in await sql.fetch(tiers)] == before
    await assert_same(database, Window(START, START + DAY))
    await merge_all(database)
    assert [tuple(row) for row in await sql.fetch(tiers)] == [(15, 24 * 4 - 1), (60, 23)]
    left = "SELECT count(*) FROM log_digests WHERE start_time IN ($1, $2)"
    assert await sql.fetchval(left, START + 6.5 * HOUR, START + 6 * HOUR) == 1  # the hour's first quarter
    await assert_same(database, Window(START, START + DAY))
    assert await make(database, over) == 3
    assert [tuple(row) for row in await sql.fetch(tiers)] == before
    await assert_same(database, Window(START, START + DAY))


async def test_digests_wait_until_changes_are_merged(database, sql):
    await insert(database, [row_at(0.5)])
    await make(database)
    await insert(database, [row_at(0.6)])
    await sql.execute("DELETE FROM log_digests")
    await DigestMaker(database, now=lambda: SOON).make()
    assert await sql.fetchval(f"{COUNT} AND tier_minutes = 60") == 2
    await assert_same(database, Window(START, START + HOUR))


@pytest.mark.parametrize("merges", [False, True])
async def test_a_log_that_comes_while_a_digest_is_made_is_counted(database, sql, monkeypatch, merges):
    """It comes after the logs were read and before the digest is completed, and may be merged in between."""
    await insert(database, [row_at(0.5, user_id="first")])

    async def finish_late(connection, span, *arguments):
        if span.tier_minutes == 60 and span.start == START:
            await insert(database, [row_at(0.6, user_id="second")])
            if merges:
                await merge_all(database)
        return await finish_making(connection, span, *arguments)

    monkeypatch.setattr(digest_making, "finish_making", finish_late)
    await make(database)
    done = await sql.fetchval(f"{COUNT} AND tier_minutes = 60 AND start_time = $1", START)
    assert done == (0 if merges else 1)
    await assert_same(database, Window(START, START + HOUR))
    await merge_all(database)
    await assert_same(database, Window(START, START + HOUR))
    monkeypatch.setattr(digest_making, "finish_making", finish_making)
    await make(database)
    assert await sql.fetchval(f"{COUNT} AND tier_minutes = 60 AND start_time = $1", START) == 1
    await assert_same(database, Window(START, START + HOUR))


async def test_a_merge_waits_for_a_digest_that_is_completed_and_takes_it(database, sql):
    await insert(database, [row_at(0.5)])
    await merge_all(database)
    await sql.execute("INSERT INTO log_digests VALUES ('default', $1, 60, gen_random_uuid())", START)
    await insert(database, [row_at(0.6)])
    async with sql.transaction():
        await sql.execute("UPDATE log_digests SET making = NULL, user_count = 0, user_groups = ''")
        merging = asyncio.create_task(merge_all(database))
        await eventually(lambda: sql.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))
        assert not merging.done()
    await merging
    assert await sql.fetchval("SELECT count(*) FROM log_digests") == 0


async def test_a_maker_that_was_killed_is_taken_over(database, sql):
    await insert(database, [row_at(0.5)])
    span, first = Span("default", START, 60), uuid4()
    async with database.connection() as connection:
        assert await begin_making(connection, span, first)
        await make(database)
        assert not await finish_making(
            connection, span, first, dict.fromkeys(DIMENSIONS, log_digests.Digest())
        )
    await assert_same(database, Window(START, START + HOUR))
    assert await sql.fetchval(f"{COUNT} AND user_count = 1 AND start_time = $1", START) >= 1


async def test_retention_keeps_a_digest_of_a_dropped_day_from_being_made(database, sql):
    await insert(database, [row_at(0.5)])
    await merge_all(database)
    span, making = Span("default", START, 60), uuid4()
    async with database.connection() as connection:
        assert await begin_making(connection, span, making)
        await apply_retention(database, (START + 2 * DAY).date(), 1)
        assert not await finish_making(
            connection, span, making, dict.fromkeys(DIMENSIONS, log_digests.Digest())
        )
        assert not await make_digest(connection, span)
    assert await make(database) == 0
    assert await sql.fetchval(COUNT) == 0


async def test_retention_takes_the_digests_of_what_it_drops(database, sql):
    await insert(database, [row_at(hour) for hour in (0.5, 23.5, 24.5)])
    await make(database, START + 25 * HOUR)
    await apply_retention(database, (START + 2 * DAY).date(), 1)
    assert await sql.fetchval("SELECT min(start_time) FROM log_digests") == START + DAY
    await assert_same(database, Window(START - DAY, START + 3 * DAY))


async def test_an_erased_user_is_in_no_digest(database, sql):
    over = START + 25 * HOUR
    rows = [row_at(hour, user_id="mallory", session_id="hers", tags='["private"]') for hour in range(24)]
    await insert(database, [*rows, *(row_at(hour, user_id="alice") for hour in range(24))])
    await make(database, over)
    names = ("mallory", "hers", "private")
    assert [await sql.fetchval(NAMED, name) for name in names] == [24 + 24 + 1] * 3
    await erase_user(database, "mallory")
    assert [await sql.fetchval(NAMED, name) for name in names] == [0, 0, 0]
    await make(database, over)
    assert [await sql.fetchval(NAMED, name) for name in (*names, "alice")] == [0, 0, 0, 49]
    await assert_same(database, Window(START, START + DAY))


async def test_an_erased_user_is_in_no_digest_that_is_made_meanwhile(database, sql, monkeypatch):
    """The logs were read before they were erased."""
    await insert(database, [row_at(0.5, user_id="mallory")])

    async def finish_late(connection, span, *arguments):
        if span.tier_minutes == 15 and span.start == START + HOUR / 2:
            await erase_user(database, "mallory")
        return await finish_making(connection, span, *arguments)

    monkeypatch.setattr(digest_making, "finish_making", finish_late)
    await make(database)
    assert await sql.fetchval(NAMED, "mallory") == 0
    await assert_same(database, Window(START, START + DAY))


async def test_makers_that_are_killed_leave_nothing_wrong(database, sql, monkeypatch):
    """Each query in turn is the one at which the maker loses its connection."""
    await insert(database, random_rows(random.Random(5), 40, hours=3))
    left = 0

    def mortal(fetch):
        async def fetch_or_die(self, query, **values):
            nonlocal left
            left -= 1
            if left == 0:
                raise StorageUnavailable("killed")
            return await fetch(self, query, **values)

        return fetch_or_die

    for name in ("fetch", "fetch_one"):
        monkeypatch.setattr(pool.Connection, name, mortal(getattr(pool.Connection, name)))
    await merge_all(database)
    for number in (*range(1, 60, 4), 10_000):
        left = number
        try:
            await DigestMaker(database, now=lambda: START + 4 * HOUR).make()
        except StorageUnavailable:
            left = -1
            await assert_same(database, Window(START, START + 4 * HOUR), dimensions=["user"])
            await sql.execute("DELETE FROM log_digests")
    left = -1
    await assert_same(database, Window(START, START + 4 * HOUR))


async def test_one_maker_at_a_time(database, sql):
    await insert(database, [row_at(0.5), row_at(1.5)])
    async with database.connection() as connection:
        assert await log_digests.try_lock(connection)
        assert await make(database) == 0
    made = sorted(await asyncio.gather(*(DigestMaker(database, now=lambda: SOON).make() for _ in range(3))))
    assert made == [0, 0, await sql.fetchval(COUNT)]


async def test_times_that_are_not_over_have_no_digests(database, sql):
    await insert(database, [row_at(0.3)])
    assert await make(database, START + timedelta(minutes=30, seconds=29)) == 1
    assert await make(database, START + timedelta(minutes=30, seconds=30)) == 1
    assert await make(database, START + timedelta(minutes=60, seconds=30)) == 3
    await assert_same(database, Window(START, START + 2 * HOUR))


async def test_quarters_are_kept_for_two_days(database, sql):
    await insert(database, [row_at(0.3)])
    await make(database, START + HOUR + timedelta(minutes=1))
    assert await sql.fetchval(f"{COUNT} AND tier_minutes = 15") == 4
    await make(database, START + 51 * HOUR)
    assert await sql.fetchval(f"{COUNT} AND tier_minutes = 15 AND start_time < $1", START + 2 * HOUR) == 0
    assert await sql.fetchval(f"{COUNT} AND tier_minutes = 60 AND start_time < $1", START + 2 * HOUR) == 2


async def test_hours_with_too_many_groups_are_read_from_logs(database, sql, monkeypatch):
    await insert(database, [row_at(hour / 100, user_id=f"user-{hour}") for hour in range(240)])
    monkeypatch.setattr("worker.tasks.make_digests.make_digest", partial(make_digest, max_groups=50))
    await make(database)
    empty = await sql.fetch(
        "SELECT start_time FROM log_digests WHERE user_groups IS NULL AND tier_minutes = 60"
    )
    assert sorted(row["start_time"] for row in empty) == [START, START + HOUR]
    assert await sql.fetchval(f"{COUNT} AND session_groups IS NULL") == 0
    assert await make(database) == 0
    await assert_same(database, Window(START, START + 3 * HOUR), limit=500)
    monkeypatch.setattr(log_breakdowns, "MAX_LOG_GROUPS", 10)
    await assert_same(database, Window(START, START + 3 * HOUR), limit=500)


async def test_logs_of_another_project_are_not_touched(database, sql):
    await insert(database, [row_at(0.5), row_at(0.5, project_id="other", user_id="theirs")])
    await make(database)
    await assert_same(database, Window(START, START + HOUR))
    theirs = "SELECT count(*) FROM log_digests WHERE project_id = 'other'"
    before = await sql.fetchval(theirs)
    await insert(database, [row_at(0.6)])
    await merge_all(database)
    assert await sql.fetchval(theirs) == before


async def test_prices_that_change_and_add_up_to_the_same_take_digests(database, sql):
    """Of two users in one minute and group, one costs more and the other as much less."""
    rows = [row_at(0.5, user_id="a", cost_nano_usd=3), row_at(0.5, user_id="b", cost_nano_usd=5)]
    await insert(database, rows)
    await make(database)

    async def set_costs(costs, version) -> None:
        await database.fetch(
            repricing._QUERIES["set_prices"],
            project_id="default",
            log_ids=[row.log_id for row in rows],
            start_times=[row.start_time for row in rows],
            receive_times=[row.receive_time for row in rows],
            costs=costs,
            versions=[version] * 2,
        )

    await set_costs([5, 3], "new")
    await assert_same(database, Window(START, START + HOUR))
    await make(database)
    await assert_same(database, Window(START, START + HOUR))
    before = await sql.fetchval(COUNT)
    await set_costs([5, 3], "newer")
    await merge_all(database)
    assert await sql.fetchval(COUNT) == before


async def test_counting_again_takes_digests(database, sql):
    """It takes deltas out without merging them."""
    await insert(database, [row_at(0.5)])
    await make(database)
    await insert(database, [row_at(0.6)])
    await count_again(database, START)
    await assert_same(database, Window(START, START + HOUR))
    await merge_all(database)
    await assert_same(database, Window(START, START + HOUR))

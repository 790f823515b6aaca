"""Stored logs get today's prices, and the rollups follow."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner

from analytics.pricing import repricing
from analytics.pricing.repricing import LogRange, Progress, find_changes
from codec.rows import price_of_log, to_row
from stack.cli.main import cli
from storage.repricing import NewPrice, Repriced, list_parts, page_logs, set_prices
from storage.rollup_merges import count_again
from telemetry.settings import SettingsError
from tests.support.logs import make_log
from tests.support.packing import insert, upsert
from tests.support.prices import BOOK, book_of
from tests.support.rollups import assert_rollups_are_right, merge_all
from tests.support.waiting import eventually

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)
PRICES = """
[[price]]
provider = "openai"
model = "gpt-4o-mini"
input = 1
output = 2

[[price]]
provider = "openai"
model = "gpt-4o"  # unknown

[[price]]
provider = "acme"
model = "*"
input = 3
output = 4
"""
NEW = book_of(PRICES)
MODELS = (("openai", "gpt-4o-mini"), ("openai", "gpt-4o"), ("acme", "m"), ("anthropic", "claude-sonnet-5-5"))
CHANGED = 3
"""Of the models; the price of one stays."""


def log_at(time: datetime, provider: str, model: str, **fields):
    log = make_log(provider=provider, model=model, environment="test", **fields)
    log.start_time.FromDatetime(time)
    return log


def row_of(log, *, project_id="default", receive_time=NOON, prices=BOOK):
    return to_row(log, project_id=project_id, receive_time=receive_time, prices=prices)


async def store(database, *, days=3, each=5, project_id="default"):
    """Store logs of several days at the old prices."""
    rows = [
        row_of(log_at(NOON - number * DAY + place * timedelta(minutes=7), *model), project_id=project_id)
        for number in range(days)
        for place in range(each)
        for model in MODELS
    ]
    await insert(database, rows)
    return rows


async def stored(sql, order="log_id"):
    return await sql.fetch(f"SELECT * FROM logs ORDER BY {order}")


async def assert_priced(sql, prices=NEW):
    """Every log has its price of a book."""
    for row in await stored(sql):
        log = make_log(provider=row["provider"], model=row["model"])
        log.start_time.FromDatetime(row["start_time"])
        assert (row["cost_nano_usd"], row["price_version"]) == price_of_log(log, prices)


async def test_costs_and_rollups_follow_the_book(database, sql):
    rows = await store(database)
    before = await stored(sql)
    seen: list[Progress] = []
    ended = await repricing.reprice(database, NEW, LogRange(), report=seen.append, page_size=7)
    assert (ended.seen, ended.total, ended.repriced.log_count) == (len(rows), len(rows), CHANGED * 15)
    assert [each.seen for each in seen] == sorted(each.seen for each in seen)
    assert seen[-1] == ended
    await assert_priced(sql)
    await assert_rollups_are_right(database)
    prices = {"cost_nano_usd", "price_version"}
    for was, now in zip(before, await stored(sql), strict=True):
        assert {**now, **dict.fromkeys(prices)} == {**was, **dict.fromkeys(prices)}
    costs = await sql.fetchrow("SELECT sum(cost_nano_usd), count(cost_nano_usd) FROM logs")
    told = await sql.fetchrow(
        "SELECT sum(cost_nano_usd_sum), sum(priced_count)::bigint FROM rollups WHERE tier_minutes = 1440"
    )
    assert tuple(costs.values()) == tuple(told.values())
    assert (await repricing.reprice(database, NEW, LogRange())).repriced == Repriced()


async def test_a_dry_run_says_what_would_change_and_changes_nothing(database, sql):
    await store(database)
    before = await stored(sql)
    would = await repricing.reprice(database, NEW, LogRange(), dry_run=True)
    assert await stored(sql) == before
    assert await repricing.reprice(database, NEW, LogRange()) == would
    await assert_rollups_are_right(database)


@pytest.mark.parametrize(("which", "days", "projects"), [
    (LogRange(project_id="default"), 3, 1),
    (LogRange(first_day=NOON.date()), 1, 2),
    (LogRange(last_day=(NOON - DAY).date()), 2, 2),
    (LogRange((NOON - DAY).date(), (NOON - DAY).date(), "acme"), 1, 1),
    (LogRange(project_id="nobody"), 0, 0),
    (LogRange(date.max, date.max), 0, 0),
])  # fmt: skip
async def test_only_what_was_asked_for_is_repriced(database, which, days, projects):
    for project_id in ("default", "acme"):
        await store(database, each=1, project_id=project_id)
    ended = await repricing.reprice(database, NEW, which)
    assert (ended.seen, ended.repriced.log_count) == (
        days * projects * len(MODELS),
        days * projects * CHANGED,
    )
    await assert_rollups_are_right(database)


async def test_times_at_the_edges_are_reached(database, sql):
    edges = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC), NOON.replace(hour=0))
    await insert(database, [
        row_of(log_at(time, "acme", "m", log_id=f"00000000-0000-0000-0000-00000000000{number}"))
        for number, time in enumerate(edges)
    ])  # fmt: skip
    for page_size in (1, 2):
        assert (await repricing.reprice(database, NEW, LogRange(), page_size=page_size)).seen == len(edges)
    await assert_priced(sql)


async def test_what_ended_half_way_goes_on(database, sql):
    await store(database)

    def end(now):
        if now.seen > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await repricing.reprice(database, NEW, LogRange(), report=end, page_size=4)
    await assert_rollups_are_right(database)
    rest = await repricing.reprice(database, NEW, LogRange())
    assert 0 < rest.repriced.log_count < CHANGED * 15
    await assert_priced(sql)
    await assert_rollups_are_right(database)


async def test_a_version_alone_changes_no_rollup(database, sql):
    """Another file with the same rates."""
    await store(database)
    await repricing.reprice(database, NEW, LogRange())
    await merge_all(database)
    again = book_of(PRICES + "# another comment\n")
    ended = await repricing.reprice(database, again, LogRange())
    assert ended.repriced.cost_before == ended.repriced.cost_after
    assert ended.repriced.log_count == CHANGED * 15
    assert await sql.fetchval("SELECT count(*) FROM rollup_deltas") == 0
    await assert_priced(sql, again)


async def test_redeliveries_stay_stale_and_corrections_win(database, sql):
    rows = await store(database)
    await repricing.reprice(database, NEW, LogRange())
    assert (await insert(database, rows)).stale == len(rows)
    await assert_priced(sql)
    later = NOON + timedelta(seconds=1)
    corrected = [row._replace(receive_time=later, output_token_count=7) for row in rows[:8]]
    assert (await upsert(database, corrected)).replaced == 8
    assert await sql.fetchval("SELECT count(*) FROM logs WHERE output_token_count = 7") == 8
    await assert_rollups_are_right(database)


async def test_a_log_that_was_corrected_since_it_was_read_is_left_alone(database, sql):
    rows = await store(database, days=1)
    (part,) = await list_parts(database, first_day=None, last_day=None, project_id="")
    (logs,) = [page async for page in page_logs(database, part, 100)]
    changes = find_changes(NEW, logs)
    moved = rows[0]._replace(receive_time=NOON + DAY, start_time=NOON - DAY)
    corrected = rows[1]._replace(receive_time=NOON + DAY, cost_nano_usd=5)
    await upsert(database, [moved, corrected])
    assert (await set_prices(database, "default", changes)).log_count == len(changes) - 2
    assert await sql.fetchval("SELECT cost_nano_usd FROM logs WHERE log_id = $1", corrected.log_id) == 5
    await assert_rollups_are_right(database)
    # What another repricer set meanwhile is no change, and is counted once.
    assert await set_prices(database, "default", changes) == Repriced()
    await assert_rollups_are_right(database)


async def test_a_price_changes_beside_a_rebuild(database, sql):
    await store(database, days=1)
    (part,) = await list_parts(database, first_day=None, last_day=None, project_id="")
    (logs,) = [page async for page in page_logs(database, part, 100)]
    for number in range(20):
        changes = [NewPrice(log, number, f"v{number}") for log in logs]
        await asyncio.gather(count_again(database, part.day), set_prices(database, "default", changes))
    await assert_rollups_are_right(database)


async def test_it_waits_for_a_writer_and_holds_no_row_meanwhile(database, sql):
    """Otherwise both could wait for each other: writers lock keys first, in order, and rows after."""
    await store(database, days=1)
    (part,) = await list_parts(database, first_day=None, last_day=None, project_id="")
    (logs,) = [page async for page in page_logs(database, part, 100)]
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute("SELECT FROM log_keys WHERE log_id = $1 FOR UPDATE", max(log.log_id for log in logs))
    setting = asyncio.create_task(
        set_prices(database, "default", [NewPrice(log, 1, "v") for log in reversed(logs)])
    )

    async def is_waiting():
        return await sql.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )

    await eventually(is_waiting)
    assert len(await sql.fetch("SELECT FROM logs FOR UPDATE NOWAIT")) == len(logs)
    await transaction.rollback()
    assert (await setting).log_count == len(logs)
    await assert_rollups_are_right(database)


@pytest.fixture
def run(database_url, monkeypatch, tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("LLM_OBSERVE_PRICE_FILE", str(prices))

    async def invoke(*words: str):
        return await asyncio.to_thread(CliRunner().invoke, cli, ["reprice", *words])

    return invoke


async def test_the_command_says_what_it_did(run, database, sql):
    await store(database, each=1)
    today = f"{NOON:%Y-%m-%d}"
    would = await run("--dry-run", "--from", today, "--to", today, "--project", "default")
    # In nano-dollars: gpt-4o 225,000 before, gpt-4o-mini 13,500 before and 50,000 after, acme 110,000 after.
    assert would.output == (
        "3 of 4 logs would get another price; their known cost: $0.0002385 before, $0.00016 after\n"
    )
    assert (await run()).output.startswith("9 of 12 logs got another price; ")
    assert (await run()).output.startswith("0 of 12 logs got another price; their known cost: $0.00 before")
    await assert_priced(sql)
    await assert_rollups_are_right(database)


async def test_the_command_refuses_what_makes_no_sense(run, tmp_path):
    assert "--from is after --to" in (await run("--from", "2026-01-02", "--to", "2026-01-01")).output
    assert "does not match the format" in (await run("--from", "yesterday")).output
    (tmp_path / "prices.toml").write_text("price = 3")
    assert isinstance((await run()).exception, SettingsError)

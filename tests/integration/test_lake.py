"""The lake holds what Postgres holds, cell by cell, also after what changes logs later."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.lake.exporter import Outcome, export_hour
from analytics.lake.layout import hour_file
from analytics.lake.store import LakeUnavailable
from analytics.lake.writer import to_table
from analytics.windows import HOUR
from storage.columns import LAKE_COLUMNS
from storage.lake import HourKey, list_hours, seal_hours
from storage.log_deletion import count_by_hour, delete_logs
from storage.partitions import apply_retention
from storage.repricing import LogPart, NewPrice, page_logs, set_prices
from tests.support.lake import START, assert_lake_is_right, export_all, lake_settings, read_lake, row_at
from tests.support.packing import insert, upsert
from worker.tasks.drop_old_logs import drop_old_logs
from worker.tasks.export_logs import LogExporter

LATER = START + timedelta(days=1)
TEXTS = (
    "", " ", '"', '""', "'", ",", "\n", "\r", "\r\n", 'a\nb,"c"\r\n', "\\", "\\N", "\\.", "NULL", "t", "\t",
    "\ufffd", "\u2028", "ü注文🙂", "\ufeffbom", "x" * 500, "{}", "[]", "0", "nan",
)  # fmt: skip


@pytest.fixture
def lake(tmp_path):
    return lake_settings(tmp_path / "lake")


def strange_rows(chance: random.Random, count: int = 300):
    """Rows with texts that CSV might confuse in every text column, and other columns null or not."""
    texts = [column.name for column in LAKE_COLUMNS if column.type == "text"]
    numbers = [column.name for column in LAKE_COLUMNS if column.type in {"bigint", "integer", "smallint"}]
    rows = []
    for number in range(count):
        changes: dict[str, Any] = {name: chance.choice(TEXTS) for name in texts}
        changes |= {name: chance.choice((None, 0, 1, 30_000)) for name in numbers}
        changes["retry_count"] = chance.choice((None, 0, 2**31 - 1))
        changes["cost_nano_usd"] = chance.choice((None, 0, -(2**63), 2**63 - 1))
        changes["streamed"] = chance.random() < 0.5
        changes["end_time"] = chance.choice((None, START + timedelta(microseconds=1)))
        changes["metadata"] = chance.choice(
            (None, "{}", json.dumps({chance.choice(TEXTS): "v", "k": TEXTS[number % 25]}))
        )
        changes["tags"] = chance.choice((None, "[]", json.dumps(chance.sample(TEXTS, 3))))
        rows.append(row_at(chance.random() * 30, project_id=chance.choice(("default", "other")), **changes))
    return rows


async def test_the_lake_has_every_value_of_every_column(database, sql, lake):
    await insert(database, strange_rows(random.Random(1)))
    await export_all(database, lake)
    assert await assert_lake_is_right(sql, lake) == 300


async def test_an_hour_in_many_pieces_is_one_file(database, sql, lake, monkeypatch):
    monkeypatch.setattr("analytics.lake.exporter.PIECE_BYTES", 5_000)
    await insert(database, [row_at(0.5, input_preview="x\n" * 200) for _ in range(100)])
    await export_all(database, lake)
    assert await assert_lake_is_right(sql, lake) == 100


async def test_hours_that_are_not_over_are_left_out(database, sql, lake):
    now = datetime.now(UTC)
    await insert(database, [row_at(0)._replace(start_time=now), row_at(1)])
    await export_all(database, lake)
    assert len([name for name in read_lake(lake) if name.endswith("parquet")]) == 1
    delayed = lake.model_copy(update={"seal_delay_s": 86_400.0 * 3})
    assert await list_hours(database, start=START, end=now + HOUR, project_id="default") != []
    await insert(database, [row_at(50)])
    await export_all(database, delayed)
    assert len([name for name in read_lake(lake) if name.endswith("parquet")]) == 1


async def change_nothing(database, rows):
    await insert(database, rows)


async def come_late(database, rows):
    await insert(database, [row_at(1.5), row_at(200 / 60)])


async def come_late_with_old_ones(database, rows):
    await insert(database, [*rows, row_at(1.5)])


async def correct(database, rows):
    await upsert(database, [row._replace(receive_time=LATER, output_preview="new") for row in rows[:5]])


async def correct_by_insert(database, rows):
    await insert(database, [row._replace(receive_time=LATER, output_preview="new") for row in rows[:5]])


async def move(database, rows):
    await upsert(
        database,
        [
            row._replace(receive_time=LATER, start_time=row.start_time + timedelta(hours=number))
            for number, row in enumerate(rows[:5])
        ],
    )


async def move_away_and_empty_an_hour(database, rows):
    early = [row for row in rows if row.start_time < START + HOUR]
    moved = [row._replace(receive_time=LATER, start_time=row.start_time + 30 * HOUR) for row in early]
    await upsert(database, moved)


async def reprice(database, rows):
    day = LogPart("default", START, 0)
    async for page in page_logs(database, day, 1000):
        await set_prices(database, "default", [NewPrice(log, 7, "test/1") for log in page])


async def change_the_price_version_only(database, rows):
    day = LogPart("default", START, 0)
    async for page in page_logs(database, day, 1000):
        await set_prices(
            database, "default", [NewPrice(log, log.cost_nano_usd, "test/1") for log in page[:1]]
        )


async def delete(database, rows):
    which = {"project_id": "default", "environment": "demo"}
    hours = await count_by_hour(database, **which)
    await delete_logs(database, hours, **which, on_progress=lambda _: None)


CHANGES = {
    change_nothing: 0,
    come_late: 2,
    come_late_with_old_ones: 1,
    correct: 2,
    correct_by_insert: 2,
    move: 6,
    move_away_and_empty_an_hour: 2,
    reprice: 4,
    change_the_price_version_only: 1,
    delete: 2,
}
"""Every way in which stored logs change, and how many sealed hours it touches."""


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_whoever_changes_logs_has_their_hours_written_again(database, sql, lake, change):
    """Three logs an hour, in four hours; those of the first and the third are of the environment demo."""
    rows = [
        row_at(number // 3 + number % 3 / 10, environment=("demo", "production")[number // 3 % 2])
        for number in range(12)
    ]
    await insert(database, rows)
    await insert(database, [row_at(number / 2, project_id="other") for number in range(20)])
    await export_all(database, lake)
    before = await list_hours(database, start=START, end=LATER, project_id="default")
    assert all(hour.is_clean for hour in before)
    await change(database, rows)
    sealed = await list_hours(database, start=START, end=LATER, project_id=None)
    assert {hour.project_id for hour in sealed if not hour.is_clean} <= {"default"}
    assert sum(not hour.is_clean for hour in sealed) <= CHANGES[change]
    await export_all(database, lake)
    await assert_lake_is_right(sql, lake)
    again = await list_hours(database, start=START, end=LATER, project_id="default")
    written = [hour for hour in again if hour not in before and hour.generation > 1]
    assert bool(written) == bool(CHANGES[change])


async def test_an_hour_without_logs_has_no_file_and_a_day_without_files_no_manifest(database, sql, lake):
    await insert(database, [row_at(0, environment="demo"), row_at(30)])
    await export_all(database, lake)
    await delete(database, ())
    await export_all(database, lake)
    assert await assert_lake_is_right(sql, lake) == 1
    assert len(read_lake(lake)) == 2
    await insert(database, [row_at(0)])
    await export_all(database, lake)
    assert await assert_lake_is_right(sql, lake) == 2


async def test_nothing_is_written_again_that_is_there(database, sql, lake):
    await insert(database, [row_at(number) for number in range(20)])
    await export_all(database, lake)
    before = await sql.fetch("SELECT * FROM lake_hours ORDER BY hour")
    await export_all(database, lake)
    assert await sql.fetch("SELECT * FROM lake_hours ORDER BY hour") == before
    assert await sql.fetchval("SELECT count(*) FROM exports") == 1


async def test_an_hour_that_another_process_exports_is_busy(database, lake, monkeypatch):
    await insert(database, [row_at(0)])
    await seal_hours(database, start=START, end=LATER, project_id=None)
    store, key = lake.open_store(), HourKey("default", START)
    begun, go_on = asyncio.Event(), asyncio.Event()
    publish = store.publish

    def slow(staged, name):
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        publish(staged, name)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(store, "publish", slow)
    first = asyncio.create_task(export_hour(database, store, key, timeout_s=60))
    await begun.wait()
    assert await export_hour(database, lake.open_store(), key, timeout_s=60) is Outcome.BUSY
    # Writers do not wait for an export, and what they change now needs another one.
    await insert(database, [row_at(0.1)])
    go_on.set()
    assert await first is Outcome.EXPORTED
    (hour,) = await list_hours(database, start=START, end=LATER, project_id="default")
    assert (hour.row_count, hour.is_clean) == (1, False)


async def test_a_change_while_an_hour_is_read_is_not_lost(database, sql, lake, monkeypatch):
    await insert(database, [row_at(0, log_id=uuid.UUID(int=number)) for number in range(1, 30)])
    changed = False

    def change_while_parsing(rows):
        nonlocal changed
        if not changed:
            changed = True
            writing = insert(database, [row_at(0.1)])
            asyncio.run_coroutine_threadsafe(writing, loop).result()
        return to_table(rows)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr("analytics.lake.writer.to_table", change_while_parsing)
    await export_all(database, lake)
    (hour,) = await list_hours(database, start=START, end=LATER, project_id="default")
    assert (hour.row_count, hour.is_clean) == (29, False)
    await export_all(database, lake)
    assert await assert_lake_is_right(sql, lake) == 30


async def test_a_day_is_dropped_once_the_lake_has_it(database, sql, lake):
    today = datetime.now(UTC).date()
    await insert(database, [row_at(-24 * day) for day in range(4)])
    held = await apply_retention(database, today, 4, exported_only=True)
    assert held.waiting == (2, START - timedelta(days=3))
    assert await sql.fetchval("SELECT count(*) FROM logs") == 4
    await export_all(database, lake)
    await upsert(database, [row_at(-48)])  # late
    held = await apply_retention(database, today, 4, exported_only=True)
    assert held.waiting == (1, START - timedelta(days=2))
    assert await sql.fetchval("SELECT count(*) FROM logs") == 4  # of five, the oldest day's is gone
    await export_all(database, lake)
    done = await apply_retention(database, today, 4, exported_only=True)
    assert done.waiting.hour_count == 0
    assert await sql.fetchval("SELECT count(*) FROM logs") == 2


@pytest.mark.parametrize("harm", ["folder gone", "file gone", "file cut", "another lake"])
async def test_a_day_is_kept_while_the_lake_has_lost_its_files(database, sql, lake, tmp_path, harm):
    """Those rows are all that is left of it; the next export writes them again."""
    today = datetime.now(UTC).date()
    await insert(database, [row_at(-24 * day) for day in range(4)])
    await export_all(database, lake)
    oldest = Path(lake.url) / hour_file("default", START - timedelta(days=3))
    if harm == "folder gone":
        shutil.rmtree(lake.url)
    elif harm == "file gone":
        oldest.unlink()
    elif harm == "file cut":
        oldest.write_bytes(oldest.read_bytes()[:-1])
    else:
        lake = lake_settings(tmp_path / "another")
    exporter = LogExporter(database, lake.open_store(), lake)
    await drop_old_logs(database, today, 4, exporter)
    assert await sql.fetchval("SELECT count(*) FROM logs") == 4
    await export_all(database, lake)
    assert oldest.relative_to(oldest.parents[3]).as_posix() in read_lake(lake)
    await drop_old_logs(database, today, 4, exporter)
    assert await sql.fetchval("SELECT count(*) FROM logs") == 2


async def test_a_day_is_kept_while_the_lake_is_away(database, sql, lake, monkeypatch):
    await insert(database, [row_at(-72)])
    await export_all(database, lake)
    store = lake.open_store()

    def fail(names):
        raise LakeUnavailable("the lake's bucket cannot be used")

    monkeypatch.setattr(store, "sizes", fail)
    await drop_old_logs(database, datetime.now(UTC).date(), 4, LogExporter(database, store, lake))
    assert await sql.fetchval("SELECT count(*) FROM logs") == 1


async def test_what_comes_after_a_day_was_dropped_does_not_replace_its_files(database, sql, lake):
    await insert(database, [row_at(-48), row_at(-47)])
    await export_all(database, lake)
    before = read_lake(lake)
    await apply_retention(database, START.date(), 1, exported_only=True)
    await insert(database, [row_at(-48.0), row_at(-46.0)])
    await export_all(database, lake)
    assert read_lake(lake) == before
    again = await apply_retention(database, START.date(), 1, exported_only=True)
    assert again.waiting.hour_count == 0

"""Each log of a window is read exactly once, from the lake or from Postgres, whatever happens to it later."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from datetime import timedelta

import pyarrow as pa
import pytest
from pyarrow import parquet

from analytics.lake.folder import FolderStore
from analytics.lake.layout import hour_file
from analytics.lake.schema import SCHEMA
from analytics.reports.history import LiveLimits, TooManyLiveLogs, is_intact, read_history
from analytics.windows import HOUR, Window
from storage.columns import LogRow
from storage.partitions import ensure_partitions
from tests.support.lake_history import LAKE_START, LAKE_WINDOW, export_hours, row_at
from tests.support.packing import insert, upsert

LIMITS = LiveLimits(rows=1000, size_bytes=1 << 24, timeout_s=60)


async def read(database, folder, window=LAKE_WINDOW, project_id="default", **options):
    store = FolderStore(str(folder)) if folder else None
    return await read_history(database, store, project_id, window, **{"limits": LIMITS, **options})


def live_rows(history):
    return pa.ipc.open_stream(history.live).read_all().to_pylist() if history.live else []


def rows_of(history, folder):
    """Return all that a reader sees: whole files cut to the window, and live logs."""
    rows = [
        row
        for name in history.names
        for row in parquet.read_table(folder / name, partitioning=None).to_pylist()
        if history.window.start <= row["start_time"] < history.window.end
    ]
    return [*rows, *live_rows(history)]


async def test_hours_that_are_up_to_date_come_from_files_and_others_from_postgres(database, tmp_path):
    await insert(database, [row_at(hours) for hours in (0.1, 0.9, 1.5, 3.5, 5.1)])
    await export_hours(database, tmp_path, hours=4)
    await upsert(database, [row_at(3.7)])  # late
    history = await read(database, tmp_path)
    assert [file.hour for file in history.files] == [LAKE_START, LAKE_START + HOUR]
    assert len(live_rows(history)) == 3
    assert history.lake_time == LAKE_START + 2 * HOUR
    assert len(rows_of(history, tmp_path)) == 6


async def test_live_logs_are_as_the_files_would_have_them(database, tmp_path):
    texts = ("", '"', "a\nb,c", "\\N", "注文🙂")
    rows = [
        row_at(1.5, input_preview=text, metadata=json.dumps({"k": text}), tags=json.dumps(["x"]))
        for text in texts
    ]
    await insert(database, [*rows, row_at(1.2, metadata=None, cost_nano_usd=None)])
    live = await read(database, tmp_path)
    await export_hours(database, tmp_path)
    exported = await read(database, tmp_path)
    assert pa.ipc.open_stream(live.live).schema.equals(SCHEMA)
    assert exported.live == b""

    def key(row):
        return row["log_id"]

    assert sorted(live_rows(live), key=key) == sorted(rows_of(exported, tmp_path), key=key)


async def test_without_a_lake_everything_comes_from_postgres(database):
    await insert(database, [row_at(1), row_at(2), row_at(30)])
    history = await read(database, None)
    assert (len(live_rows(history)), history.files, history.lake_time) == (2, [], None)


async def test_the_window_cuts_both(database, tmp_path):
    await insert(database, [row_at(hours) for hours in (0.25, 0.75, 1.25, 1.75, 2.25, 2.75)])
    await export_hours(database, tmp_path, hours=2)
    window = Window(LAKE_START + 0.5 * HOUR, LAKE_START + 2.5 * HOUR)
    history = await read(database, tmp_path, window)
    assert len(history.files) == 2
    assert len(rows_of(history, tmp_path)) == 4
    within = Window(LAKE_START + 0.1 * HOUR, LAKE_START + 0.5 * HOUR)
    history = await read(database, tmp_path, within)
    assert len(rows_of(history, tmp_path)) == 1
    assert history.lake_time == within.end


async def test_projects_are_apart(database, tmp_path):
    await insert(database, [row_at(1), row_at(1.5, project_id="other"), row_at(6, project_id="other")])
    await export_hours(database, tmp_path, hours=4)
    for project, count in (("default", 1), ("other", 2), ("third", 0)):
        assert len(rows_of(await read(database, tmp_path, project_id=project), tmp_path)) == count


async def test_an_hour_that_was_emptied_is_read_from_nowhere(database, tmp_path):
    row = row_at(1.5)
    await insert(database, [row])
    await export_hours(database, tmp_path)
    moved = row._replace(start_time=LAKE_START + 4.5 * HOUR, receive_time=row.receive_time + HOUR)
    await upsert(database, [moved])
    assert len(live_rows(await read(database, tmp_path))) == 1
    await export_hours(database, tmp_path)
    history = await read(database, tmp_path)
    assert [file.hour for file in history.files] == [LAKE_START + 4 * HOUR]
    assert history.live == b""


async def test_days_that_retention_dropped_come_from_the_lake(database, tmp_path, sql):
    await insert(database, [row_at(1.5), row_at(25)])
    await export_hours(database, tmp_path)
    await upsert(database, [row_at(1.7)])  # late, and dropped before the next export
    await sql.execute("SELECT drop_days_before($1)", (LAKE_START + 24 * HOUR).date())
    history = await read(database, tmp_path, Window(LAKE_START, LAKE_START + 48 * HOUR))
    assert [file.hour for file in history.files] == [LAKE_START + HOUR]
    assert len(live_rows(history)) == 1


@pytest.mark.parametrize(("limits", "said"), [({"rows": 2}, "2 logs"), ({"size_bytes": 100}, "0 MB")])
async def test_more_live_logs_than_allowed_are_an_error(database, limits, said):
    await insert(database, [row_at(1), row_at(2), row_at(3)])
    asked = LiveLimits(**{"rows": 10, "size_bytes": 1 << 20, "timeout_s": 60, **limits})
    with pytest.raises(TooManyLiveLogs, match=f"more than {said}"):
        await read(database, None, limits=asked)
    enough = LiveLimits(rows=3, size_bytes=1 << 20, timeout_s=60)
    assert len(live_rows(await read(database, None, limits=enough))) == 3


async def test_columns_that_are_not_needed_are_not_read(database):
    await insert(database, [row_at(1, input_preview="p", user_id="ann")])
    (row,) = live_rows(await read(database, None, columns={"user_id", "no_such_column"}))
    assert {name: value for name, value in row.items() if value is not None} == {
        "user_id": "ann",
        "start_time": LAKE_START + HOUR,
    }


async def test_a_file_that_was_replaced_is_noticed(database, tmp_path):
    await insert(database, [row_at(1.5), row_at(2.5)])
    await export_hours(database, tmp_path)
    history, store = await read(database, tmp_path), FolderStore(str(tmp_path))
    assert await is_intact(database, store, history)
    await upsert(database, [row_at(1.7)])
    assert await is_intact(database, store, history)  # changed in Postgres alone
    await export_hours(database, tmp_path)
    assert not await is_intact(database, store, history)


async def test_a_file_that_was_replaced_before_postgres_knows_is_noticed(database, tmp_path):
    await insert(database, [row_at(1.5)])
    await export_hours(database, tmp_path)
    history, store = await read(database, tmp_path), FolderStore(str(tmp_path))
    path = tmp_path / hour_file("default", LAKE_START + HOUR)
    path.write_bytes(path.read_bytes() + b"x")
    assert not await is_intact(database, store, history)
    path.unlink()
    assert not await is_intact(database, store, history)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_any_order_of_changes_and_exports_leaves_each_log_once(database, tmp_path, sql, seed):
    chance = random.Random(seed)
    rows: dict[uuid.UUID, LogRow] = {}
    for _ in range(25):
        if chance.random() < 0.3:
            await export_hours(database, tmp_path, hours=chance.randrange(1, 25))
        else:
            changed = [change(chance, rows) for _ in range(chance.randrange(1, 4))]
            unique = {row.log_id: row for row in changed}
            rows.update(unique)
            await upsert(database, list(unique.values()))
        history = await read(database, tmp_path)
        seen = Counter((row["log_id"], row["start_time"]) for row in rows_of(history, tmp_path))
        stored = await sql.fetch("SELECT log_id, start_time FROM logs")
        assert seen == Counter((str(row["log_id"]), row["start_time"]) for row in stored)


def change(chance, rows):
    """Return a new log, or one that was corrected to lie elsewhere."""
    row = row_at(chance.uniform(0, 24), log_id=uuid.UUID(int=chance.getrandbits(128)))
    if rows and chance.random() < 0.4:
        before = chance.choice(list(rows.values()))
        later = before.receive_time + timedelta(seconds=1)
        return row._replace(log_id=before.log_id, receive_time=later)
    return row


@pytest.fixture(autouse=True)
async def partitions(database):
    await ensure_partitions(database, LAKE_START.date(), 30)

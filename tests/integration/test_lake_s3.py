"""A lake in a bucket holds the same as one in a folder, also when the bucket was away for a while."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from analytics.lake.layout import hour_file
from storage.log_deletion import count_by_hour, delete_logs
from tests.support.lake import START, assert_lake_is_right, export_all, lake_settings, read_lake, row_at
from tests.support.packing import insert, upsert
from tests.support.relay import Relay
from tests.support.s3 import ENV, running_s3
from tests.support.waiting import eventually
from worker.tasks.export_logs import LogExporter


@pytest.fixture(scope="module")
async def s3(tmp_path_factory):
    async with running_s3("lake", tmp_path_factory.mktemp("s3")) as port:
        yield port


@pytest.fixture
async def relay(s3):
    async with Relay("127.0.0.1", s3).running() as running:
        yield running


@pytest.fixture
def lake(relay, monkeypatch, request):
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("analytics.lake.s3._ATTEMPTS", 1)
    endpoint = f"http://127.0.0.1:{relay.port}"
    return lake_settings(f"s3://lake/{request.node.name}", s3_endpoint=endpoint, outage_s=600)


async def test_a_bucket_holds_what_a_folder_does(database, sql, lake):
    await insert(database, [row_at(number, environment="demo") for number in range(3)])
    await insert(database, [row_at(number + 5, project_id="other") for number in range(3)])
    await export_all(database, lake)
    assert await assert_lake_is_right(sql, lake) == 6
    await insert(database, [row_at(1.5)])
    which = {"project_id": "default", "environment": "demo"}
    await delete_logs(database, await count_by_hour(database, **which), **which, on_progress=lambda _: None)
    await export_all(database, lake)
    assert await assert_lake_is_right(sql, lake) == 4
    assert len(await asyncio.to_thread(read_lake, lake)) == 4 + 2


async def test_an_outage_of_the_bucket_is_waited_out(database, sql, lake, relay):
    rows = [row_at(number) for number in range(12)]
    await insert(database, rows)
    exporter = LogExporter(database, lake.open_store(), lake)
    await exporter.queue_exports()
    running = asyncio.create_task(exporter.run_next())

    async def exported() -> int:
        return int(await sql.fetchval("SELECT count(*) FROM lake_hours WHERE row_count > 0"))

    await eventually(exported)
    await relay.refuse()
    count = await exported()
    await upsert(database, [row_at(number + 0.5) for number in range(12)])
    assert await exported() in {count, count + 1}
    await relay.accept()
    await running
    assert await sql.fetchval("SELECT state FROM exports") == "succeeded"
    await export_all(database, lake)
    assert await assert_lake_is_right(sql, lake) == 24


async def test_a_bucket_that_stays_away_fails_the_export(database, sql, lake, relay):
    await insert(database, [row_at(0)])
    await relay.refuse()
    await export_all(database, lake.model_copy(update={"outage_s": 0.0}))
    assert await sql.fetchval("SELECT error_reason FROM exports") == "LAKE_UNAVAILABLE"
    await relay.accept()
    await export_all(database, lake)
    assert await assert_lake_is_right(sql, lake) == 1


async def test_retention_finds_what_was_damaged_or_lost_in_a_bucket(database, lake):
    await insert(database, [row_at(number) for number in range(3)])
    await export_all(database, lake)
    store = lake.open_store()
    damaged, lost = (hour_file("default", START + timedelta(hours=number)) for number in (1, 2))

    def harm() -> None:
        size = store.sizes([damaged])[damaged]
        with store.filesystem().open_output_stream(f"{store.root}/{damaged}") as target:
            target.write(bytes(size))
        store.remove(lost)

    await asyncio.to_thread(harm)
    assert await asyncio.to_thread(store.digest, lost) == ""
    assert await LogExporter(database, store, lake).mark_lost_hours(START + timedelta(days=1)) == 2

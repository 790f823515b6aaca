"""ExportService and its command: exports are queued, run by a worker, listed and cancelled."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner
from llm_observe.v1 import export_service_pb2 as pb
from llm_observe.v1.export_service_pb2_grpc import ExportServiceStub

from analytics.lake.layout import hour_file
from stack.cli.main import cli
from stack.errors import StackError
from storage import exports
from storage.partitions import apply_retention
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.lake import START, assert_lake_is_right, lake_settings, read_lake, row_at
from tests.support.packing import insert, upsert
from tests.support.rpc import info_of, stub
from tests.support.server import running_server
from tests.support.waiting import eventually
from tests.support.worker import running_worker
from worker.schedule import QUEUE_EXPORTS
from worker.tasks.export_logs import LogExporter


@pytest.fixture
def lake(tmp_path):
    return lake_settings(tmp_path / "lake")


@pytest.fixture
async def port(database_url, queue_settings, lake):
    async with running_server(database_url, queue_settings, lake=lake) as running:
        yield running.port


@pytest.fixture
async def service(port):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield stub(ExportServiceStub, channel)


@pytest.fixture
async def exporter(database_url, lake):
    """What a worker runs; tests run its exports one by one."""
    database = Database(StorageSettings(database_url=database_url))
    made = LogExporter(database, lake.open_store(), lake)
    yield made
    await made.close()


def create(start: float = 0, end: float = 24, request_id: str = "") -> pb.CreateExportRequest:
    """Ask for a window by hours after START."""
    request = pb.CreateExportRequest(request_id=request_id)
    request.time_range.start_time.FromDatetime(START + timedelta(hours=start))
    request.time_range.end_time.FromDatetime(START + timedelta(hours=end))
    return request


async def refused(call) -> tuple[str, dict[str, str], list[str]]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return info_of(caught.value)


async def test_an_export_is_queued_run_and_listed(service, exporter, database, sql, lake):
    await insert(database, [row_at(number) for number in range(5)])
    queued = (await service.CreateExport(create(0.5, 2.1))).export
    assert queued.state == pb.EXPORT_STATE_QUEUED
    hours = [START, START + timedelta(hours=3)]
    window = queued.time_range
    assert [window.start_time.ToDatetime(UTC), window.end_time.ToDatetime(UTC)] == hours
    assert await exporter.run_next()
    assert not await exporter.run_next()
    ended = (await service.GetExport(pb.GetExportRequest(export_id=queued.export_id))).export
    assert (ended.state, ended.row_count, len(ended.files)) == (pb.EXPORT_STATE_SUCCEEDED, 3, 3)
    files = read_lake(lake)
    assert ended.size_bytes == sum(len(files[name]) for name in ended.files)
    assert ended.expire_time.seconds > ended.finish_time.seconds >= ended.create_time.seconds
    await service.CreateExport(create())
    await exporter.run_next()
    await assert_lake_is_right(sql, lake)
    listed = (await service.ListExports(pb.ListExportsRequest())).exports
    assert [export.row_count for export in listed] == [2, 3]


async def test_pages_and_states(service, exporter):
    for _ in range(5):
        await service.CreateExport(create())
        await exporter.run_next()
    cancelled = (await service.CreateExport(create())).export
    await service.CancelExport(pb.CancelExportRequest(export_id=cancelled.export_id))
    ids, token = [], ""
    while True:
        answer = await service.ListExports(pb.ListExportsRequest(page_size=2, page_token=token))
        ids += [export.export_id for export in answer.exports]
        token = answer.next_page_token
        if not token:
            break
    assert len(ids) == len(set(ids)) == 6
    assert ids == sorted(ids, reverse=True)
    only = await service.ListExports(pb.ListExportsRequest(states=[pb.EXPORT_STATE_CANCELLED]))
    assert [export.export_id for export in only.exports] == [cancelled.export_id]
    unspecified = pb.ListExportsRequest(states=[pb.EXPORT_STATE_UNSPECIFIED])
    assert (await refused(service.ListExports(unspecified)))[0] == "INVALID_FIELD"


async def test_one_export_of_a_project_at_a_time(service, exporter):
    first = (await service.CreateExport(create())).export
    reason, metadata, _ = await refused(service.CreateExport(create(1, 2)))
    assert (reason, metadata) == ("EXPORT_ALREADY_RUNNING", {"export_id": first.export_id})
    await exporter.run_next()
    assert (await service.CreateExport(create(1, 2))).export.export_id != first.export_id


async def test_a_repeated_request_makes_one_export(service, exporter):
    request_id = str(uuid.uuid4())
    first = (await service.CreateExport(create(request_id=request_id))).export
    assert (await service.CreateExport(create(request_id=request_id))).export == first
    assert (await refused(service.CreateExport(create(1, request_id=request_id))))[0] == "REQUEST_ID_REUSED"
    await exporter.run_next()
    again = (await service.CreateExport(create(request_id=request_id))).export
    assert (again.export_id, again.state) == (first.export_id, pb.EXPORT_STATE_SUCCEEDED)


async def test_a_refused_request_can_be_repeated_later(service, exporter):
    request_id = str(uuid.uuid4())
    await service.CreateExport(create())
    assert (await refused(service.CreateExport(create(1, request_id=request_id))))[0].endswith("RUNNING")
    await exporter.run_next()
    assert (await service.CreateExport(create(1, request_id=request_id))).export.state == 1


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.CreateExportRequest(), "time_range"),
        (create(1, 0), "time_range.end_time"),
        (create(0, 24 * 400), "time_range"),
        (create(24 * 4, 24 * 5), "time_range"),
        (create(request_id="x"), "request_id"),
    ],
    ids=["none", "empty", "long", "future", "id"],
)
async def test_wrong_requests(service, request_, field):
    reason, _, fields = await refused(service.CreateExport(request_))
    assert (reason, fields) == ("INVALID_FIELD", [field])


async def test_hours_that_are_not_over_are_left_out_of_the_window(service):
    export = (await service.CreateExport(create(0, 24 * 9))).export
    end = export.time_range.end_time.ToDatetime(UTC)
    assert end <= datetime.now(UTC)
    assert end.minute == end.second == 0


async def test_without_a_lake_nothing_is_queued(database_url, queue_settings):
    async with (
        running_server(database_url, queue_settings) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        found = await refused(stub(ExportServiceStub, channel).CreateExport(create()))
    assert found[:2] == ("LAKE_UNAVAILABLE", {"setting": "LLM_OBSERVE_LAKE_URL"})


@pytest.mark.parametrize("export_id", ["x", "0198a0de-0000-7000-8000-000000000000"])
@pytest.mark.parametrize("method", ["Get", "Cancel"])
async def test_unknown_exports(service, method, export_id):
    request = getattr(pb, f"{method}ExportRequest")(export_id=export_id)
    reason, _, _ = await refused(getattr(service, f"{method}Export")(request))
    assert reason == ("INVALID_FIELD" if export_id == "x" else "EXPORT_NOT_FOUND")


async def test_a_cancelled_export_stops_and_leaves_the_lake_right(
    service, exporter, database, sql, lake, monkeypatch
):
    monkeypatch.setattr("worker.tasks.export_logs._RENEW_S", 0.01)
    await insert(database, [row_at(number) for number in range(24)])
    export = (await service.CreateExport(create())).export
    cancel = pb.CancelExportRequest(export_id=export.export_id)
    running = asyncio.create_task(exporter.run_next())
    await eventually(lambda: len(list(Path(lake.url).rglob("*.parquet"))) > 1)
    assert (await service.CancelExport(cancel)).export.state == pb.EXPORT_STATE_CANCELLED
    await running
    assert (await service.CancelExport(cancel)).export.state == pb.EXPORT_STATE_CANCELLED
    assert not await exporter.run_next()
    await service.CreateExport(create())
    await exporter.run_next()
    assert await assert_lake_is_right(sql, lake) == 24


async def test_files_that_are_missing_are_written_again_when_somebody_asks(
    service, exporter, database, sql, lake
):
    await insert(database, [row_at(number) for number in range(5)])
    await service.CreateExport(create())
    await exporter.run_next()
    shutil.rmtree(Path(lake.url) / f"project_id=default/date={START:%Y-%m-%d}/hour=02")
    await service.CreateExport(create())
    await exporter.run_next()
    listed = (await service.ListExports(pb.ListExportsRequest())).exports
    assert [len(export.files) for export in listed] == [1, 5]
    await assert_lake_is_right(sql, lake)


async def test_a_lake_that_is_away_fails_the_export_and_the_next_goes_on(
    service, exporter, database, sql, lake
):
    await insert(database, [row_at(number) for number in range(5)])
    folder = Path(lake.url)
    await asyncio.to_thread(folder.write_text, "not a folder")
    await service.CreateExport(create())
    await exporter.run_next()
    (failed,) = (await service.ListExports(pb.ListExportsRequest())).exports
    assert (failed.state, failed.error_reason) == (pb.EXPORT_STATE_FAILED, "LAKE_UNAVAILABLE")
    await asyncio.to_thread(folder.unlink)
    await exporter.queue_exports()
    await exporter.run_next()
    assert await assert_lake_is_right(sql, lake) == 5


async def test_an_hour_that_cannot_be_written_does_not_hold_up_others(
    service, exporter, database, lake, monkeypatch
):
    await insert(database, [row_at(number) for number in range(5)])
    store_publish = exporter._store.publish

    def publish(staged, name):
        if "hour=02" in name:
            raise ValueError("some bug")
        store_publish(staged, name)

    monkeypatch.setattr(exporter._store, "publish", publish)
    await service.CreateExport(create())
    await exporter.run_next()
    (failed,) = (await service.ListExports(pb.ListExportsRequest())).exports
    assert (failed.state, failed.error_reason) == (pb.EXPORT_STATE_FAILED, "INTERNAL")
    assert (len(failed.files), failed.row_count) == (4, 4)


async def test_an_export_of_a_worker_that_died_is_taken_over(service, exporter, database, sql, lake):
    await insert(database, [row_at(number) for number in range(5)])
    await service.CreateExport(create())
    assert await exports.claim_export(database, timedelta(hours=1)) is not None
    assert not await exporter.run_next()
    await sql.execute("UPDATE exports SET lease_time = now() - interval '1 second'")
    assert await exporter.run_next()
    assert await assert_lake_is_right(sql, lake) == 5


async def test_schedulers_queue_an_export_once_and_only_for_projects_that_need_one(
    exporter, database, sql, lake
):
    await insert(database, [row_at(0), row_at(1, project_id="other")])
    await asyncio.gather(*(exporter.queue_exports() for _ in range(4)))
    assert await sql.fetchval("SELECT count(*) FROM exports") == 2
    while await exporter.run_next():
        pass
    await exporter.queue_exports()
    assert not await exporter.run_next()
    await upsert(database, [row_at(0.5)])
    await exporter.queue_exports()
    await exporter.run_next()
    assert await sql.fetchval("SELECT count(*) FROM exports") == 3
    assert await assert_lake_is_right(sql, lake) == 3


async def test_a_manifest_that_was_not_written_is_written_by_the_next_export(
    exporter, database, sql, lake, monkeypatch
):
    await insert(database, [row_at(0)])

    async def die(*_args):
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr("worker.tasks.export_run.update_manifest", die)
        await exporter.queue_exports()
        await exporter.run_next()
    assert not [name for name in read_lake(lake) if name.endswith(".json")]
    await sql.execute("UPDATE exports SET state = 'cancelled'")
    await exporter.queue_exports()
    await exporter.run_next()
    await assert_lake_is_right(sql, lake)


async def test_the_worker_runs_what_the_scheduler_queues(database, sql, database_url, queue_settings, lake):
    await insert(database, [row_at(number) for number in range(3)])
    async with running_worker(database_url, queue_settings, lake_url=lake.url):
        from taskiq.kicker import AsyncKicker  # noqa: PLC0415 - beside its use

        from worker.queue.broker import LogBroker  # noqa: PLC0415 - as above

        broker = LogBroker(queue_settings)
        await AsyncKicker(QUEUE_EXPORTS, broker, {}).kiq()

        async def exported():
            return await sql.fetchval("SELECT count(*) FROM exports WHERE state = 'succeeded'")

        await eventually(exported)
        await broker.shutdown()
    assert await assert_lake_is_right(sql, lake) == 3


async def test_the_command(port, exporter, database, sql, lake, monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{port}")
    await insert(database, [row_at(number) for number in range(3)])

    async def run(*words: str):
        return await asyncio.to_thread(CliRunner().invoke, cli, ["export", *words])

    exporting = asyncio.create_task(exporter.run())
    result = await run()
    assert "exported 3 logs in 3 files" in result.output
    exporting.cancel()
    await asyncio.wait({exporting})
    assert await assert_lake_is_right(sql, lake) == 3
    day = f"{START:%Y-%m-%d}"
    export_id = (await run("--from", day, "--to", day, "--detach")).output.strip()
    listed = (await run("list")).output.splitlines()
    assert [line.split("\t")[4] for line in listed] == ["queued", "succeeded"]
    assert listed[0].split("\t")[:1] == [export_id]
    assert (await run("cancel", export_id)).output.startswith("cancelled after 0 logs")
    assert isinstance((await run("--from", "2030-01-02", "--to", "2030-01-01")).exception, SystemExit)


async def test_verification_finds_damaged_files_and_writes_them_again(
    port, exporter, database, sql, lake, monkeypatch
):
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{port}")
    await insert(database, [row_at(number) for number in range(5)])

    async def verify():
        exporting = asyncio.create_task(exporter.run())
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["export", "--verify"])
        exporting.cancel()
        await asyncio.wait({exporting})
        return result

    assert "files: 0 intact, 0 lost, 0 damaged\nexported 5 logs" in (await verify()).output
    files = [Path(lake.url) / hour_file("default", START + timedelta(hours=hour)) for hour in range(5)]
    content = [file.read_bytes() for file in files]
    files[0].unlink()
    files[1].write_bytes(bytes(len(content[1])))
    files[2].write_bytes(content[2][:-1])
    files[3].unlink()
    files[3].symlink_to(lake.url)  # cannot be read
    result = await verify()
    assert "files: 1 intact, 1 lost, 3 damaged\nexported 4 logs" in result.output
    assert await assert_lake_is_right(sql, lake) == 5
    await apply_retention(database, datetime.now(UTC).date(), 1, exported_only=True)
    files[1].write_bytes(bytes(len(content[1])))
    result = await verify()
    assert "files: 4 intact, 0 lost, 1 damaged" in result.output
    assert isinstance(result.exception, StackError)
    assert f"{START:%Y-%m-%d}T01Z" in str(result.exception)

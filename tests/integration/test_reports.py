"""ReportService: answers from lake and Postgres, each project's own, and errors that say what to do."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, date

import grpc
import psutil
import pyarrow as pa
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from llm_observe.v1 import report_service_pb2 as pb
from llm_observe.v1.report_service_pb2_grpc import ReportServiceStub
from structlog.testing import capture_logs

from analytics.lake.layout import hour_file
from analytics.lake.settings import LakeSettings
from analytics.reports.catalogue import reports
from analytics.reports.settings import ReportSettings
from analytics.reports.tables import TABLES
from analytics.sandbox.settings import SandboxSettings
from analytics.windows import HOUR
from tests.support.lake_history import LAKE_START, LAKE_WINDOW, export_hours, row_at
from tests.support.packing import insert, upsert
from tests.support.rpc import RPC_TIMEOUT_S, info_of, stub
from tests.support.server import running_server
from tests.support.waiting import eventually

ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7"


@pytest.fixture
def serve(database_url, queue_settings, tmp_path):
    """Return a context manager of a server over the lake in tmp_path, which gives its stub."""

    @asynccontextmanager
    async def start(*, lake=True, **settings):
        lake_settings = LakeSettings(url=str(tmp_path) if lake else "")
        async with (
            running_server(database_url, queue_settings, lake=lake_settings, **settings) as running,
            grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
        ):
            yield stub(ReportServiceStub, channel)

    return start


def in_window(request, window=LAKE_WINDOW):
    request.time_range.start_time.FromDatetime(window.start)
    request.time_range.end_time.FromDatetime(window.end)
    return request


async def read(call):
    """Return columns, rows and end of a streamed answer."""
    parts = [part async for part in call]
    first, *chunks, last = parts
    assert first.HasField("columns")
    assert last.HasField("end")
    table = pa.ipc.open_stream(b"".join(chunk.arrow for chunk in chunks)).read_all()
    assert table.schema.names == [column.name for column in first.columns.columns]
    return first.columns, [tuple(row.values()) for row in table.to_pylist()], last.end


async def report(service, name, **parameters):
    request = pb.RunReportRequest(
        name=name, parameters={key: str(value) for key, value in parameters.items()}
    )
    return await read(service.RunReport(in_window(request), timeout=RPC_TIMEOUT_S))


async def sql(service, statement, **fields):
    return await read(
        service.RunSql(in_window(pb.RunSqlRequest(sql=statement, **fields)), timeout=RPC_TIMEOUT_S)
    )


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read(call)
    return (caught.value.code(), *info_of(caught.value)[:2], caught.value.details())


def retry_delay(error):
    delay = error_details_pb2.RetryInfo()
    return any(detail.Unpack(delay) for detail in rpc_status.from_call(error).details)


async def test_a_report_counts_each_log_once_wherever_it_lies(database, tmp_path, serve):
    await insert(database, [row_at(hours, model="m", cost_nano_usd=5) for hours in (0.1, 1.5, 3.5, 20)])
    await insert(database, [row_at(1.2, model="m", project_id="other"), row_at(-1, model="m")])
    await export_hours(database, tmp_path, hours=4)
    await upsert(database, [row_at(3.9, model="m", cost_nano_usd=None)])
    async with serve() as service:
        columns, rows, end = await report(service, "cost", dimension="model")
    assert rows == [("m", 5, 1, 20, 1.0, 5.0, 50, 100)]
    assert (end.row_count, end.truncated) == (1, False)
    assert end.lake_time.ToDatetime(UTC) == LAKE_START + 2 * HOUR
    assert columns.time_range.start_time.ToDatetime(UTC) == LAKE_START
    described = [(column.name, column.type, column.description) for column in columns.columns]
    assert described == list(reports()["cost"].columns)


async def test_every_report_answers_with_its_columns(database, tmp_path, serve):
    await insert(database, [row_at(hours, error_code="x", outcome="error") for hours in (1, 2, 3)])
    await export_hours(database, tmp_path, hours=2)
    async with serve() as service:
        listed = (await service.ListReports(pb.ListReportsRequest())).reports
        assert [each.name for each in listed] == list(reports())
        for each in listed:
            columns, _, _ = await report(service, each.name)
            assert [*columns.columns] == [*each.columns]


async def test_no_logs_at_all_give_an_answer_without_rows(serve):
    async with serve() as service:
        columns, rows, end = await report(service, "cost-by-day")
    assert (len(columns.columns), rows, end.row_count) == (5, [], 0)
    assert not end.HasField("lake_time")


async def test_the_tables_are_what_sql_sees(database, serve):
    await insert(database, [row_at(1)])
    async with serve() as service:
        (table,) = (await service.DescribeTables(pb.DescribeTablesRequest())).tables
        columns, rows, _ = await sql(service, "SELECT * FROM logs")
    assert [(each.name, each.type) for each in table.columns] == [
        (each.name, each.type) for each in columns.columns
    ]
    assert all(each.description.endswith((".", "')")) for each in table.columns)
    assert (table.name, len(rows), len(TABLES)) == ("logs", 1, 1)


async def test_sql_sees_its_own_project_and_the_window(database, tmp_path, serve):
    await insert(database, [row_at(1.5), row_at(1.6, project_id="other"), row_at(30), row_at(5)])
    await export_hours(database, tmp_path, hours=3)
    async with serve() as service:
        _, rows, _ = await sql(service, "SELECT project_id, date, hour FROM logs ORDER BY start_time")
    day = LAKE_START.date()
    assert rows == [("default", day, 1), ("default", day, 5)]
    assert isinstance(day, date)


async def test_rows_are_cut_at_the_limit(database, serve):
    await insert(database, [row_at(1) for _ in range(5)])
    async with serve() as service:
        _, rows, end = await sql(service, "SELECT log_id FROM logs ORDER BY log_id", row_limit=3)
        assert (len(rows), end.row_count, end.truncated) == (3, 3, True)
        _, rows, end = await sql(service, "SELECT log_id FROM logs", row_limit=5)
        assert (len(rows), end.truncated) == (5, False)


SQL_ERRORS = {
    "": ("INVALID_ARGUMENT", "INVALID_FIELD"),
    "x" * 20_001: ("INVALID_ARGUMENT", "INVALID_FIELD"),
    "DELETE FROM logs": ("INVALID_ARGUMENT", "SQL_REFUSED"),
    "SELECT 1; SELECT 2": ("INVALID_ARGUMENT", "SQL_REFUSED"),
    "SELECT * FROM read_text('/etc/passwd')": ("INVALID_ARGUMENT", "SQL_REFUSED"),
    "SELECT nothing FROM logs": ("INVALID_ARGUMENT", "SQL_FAILED"),
    "SELEKT": ("INVALID_ARGUMENT", "SQL_FAILED"),
    "SELECT sum(range) FROM (SELECT unnest(range(1000000000)) AS range)": (
        "RESOURCE_EXHAUSTED", "SQL_LIMIT_EXCEEDED",
    ),
}  # fmt: skip


async def test_sql_that_may_not_run_is_refused_with_a_sentence(serve):
    async with serve() as service:
        for statement, (code, reason) in SQL_ERRORS.items():
            found, said, metadata, message = await refused(service.RunSql(pb.RunSqlRequest(sql=statement)))
            assert (found.name, said) == (code, reason), statement[:80]
            assert message
            expected = {"SQL_REFUSED": {"rule"}, "SQL_LIMIT_EXCEEDED": {"limit"}, "INVALID_FIELD": {"field"}}
            assert metadata.keys() == expected.get(said, set())


async def test_wrong_requests_name_what_is_wrong(serve):
    async with serve() as service:
        _, reason, metadata, _ = await refused(service.RunReport(pb.RunReportRequest(name="none")))
        assert (reason, metadata) == ("REPORT_NOT_FOUND", {"report": "none"})
        for name in ("", "x" * 101):
            assert (await refused(service.RunReport(pb.RunReportRequest(name=name))))[1] == "INVALID_FIELD"
        for parameters in ({"dimension": "x"}, {"limit": "0"}, {"other": "1"}):
            request = pb.RunReportRequest(name="cost", parameters=parameters)
            _, reason, metadata, _ = await refused(service.RunReport(request))
            assert (reason, metadata) == ("INVALID_FIELD", {"field": f"parameters[{next(iter(parameters))}]"})


@pytest.mark.parametrize("lake", [True, False])
async def test_more_live_logs_than_allowed_name_cause_and_fix(database, serve, lake):
    await insert(database, [row_at(1), row_at(2)])
    async with serve(lake=lake, reports=ReportSettings(live_logs=1)) as service:
        code, reason, _, message = await refused(
            service.RunReport(in_window(pb.RunReportRequest(name="cost")))
        )
    assert (code.name, reason) == ("FAILED_PRECONDITION", "LAKE_UNAVAILABLE")
    assert "more than 1 logs" in message
    assert "llm-observe export" in message
    assert ("LLM_OBSERVE_LAKE_URL" in message) is not lake


async def test_a_file_that_is_gone_makes_the_lake_unavailable(database, tmp_path, serve):
    await insert(database, [row_at(1.5)])
    await export_hours(database, tmp_path)
    (tmp_path / hour_file("default", LAKE_START + HOUR)).unlink()
    async with serve() as service:
        with capture_logs() as lines:
            code, reason, _, _ = await refused(service.RunReport(in_window(pb.RunReportRequest(name="cost"))))
    assert (code.name, reason) == ("UNAVAILABLE", "LAKE_UNAVAILABLE")
    # Whoever runs the server learns which hour it is.
    assert any(f"{LAKE_START:%Y-%m-%d} 01:00" in line.get("reason", "") for line in lines)
    assert lines[-1]["event"].startswith("files of the lake are gone")


async def run_endlessly(service):
    """Start a question that does not end; return it, and the error that others get while it has its turn."""
    while True:
        running = service.RunSql(pb.RunSqlRequest(sql=ENDLESS))
        reading = asyncio.ensure_future(running.read())
        while not reading.done():  # it may have been refused in favour of the other one
            try:
                await read(service.RunSql(pb.RunSqlRequest(sql="SELECT 1")))
            except grpc.aio.AioRpcError as error:
                return running, reading, error
        await asyncio.gather(reading, return_exceptions=True)


def queries():
    """Return the processes that run queries: forks of the ones that wait for them."""
    hosts = [child for child in psutil.Process().children() if "analytics.sandbox.host" in child.cmdline()]
    return [fork for host in hosts for fork in host.children()]


async def test_questions_wait_no_longer_than_allowed_and_end_with_their_clients(serve):
    async with serve(sandbox=SandboxSettings(queue_timeout_s=0.2)) as service:
        running, reading, error = await run_endlessly(service)
        assert (error.code().name, info_of(error)[0]) == ("RESOURCE_EXHAUSTED", "SERVER_BUSY")
        assert retry_delay(error)
        running.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await eventually(lambda: not queries())


async def test_a_server_that_stops_ends_questions(serve):
    async with serve(sandbox=SandboxSettings(queue_timeout_s=0.2)) as service:
        _, reading, _ = await run_endlessly(service)
    await asyncio.gather(reading, return_exceptions=True)
    assert not queries()

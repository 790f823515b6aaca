"""ReportService over the sample's calls: the product's own SQL, run by DuckDB in this process."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TypeVar

import duckdb
import pyarrow as pa
from llm_observe.v1 import export_service_pb2 as exports
from llm_observe.v1 import report_service_pb2 as pb
from llm_observe.v1.filter_pb2 import TimeRange

from analytics.lake.schema import SCHEMA
from analytics.reports.catalogue import reports
from analytics.reports.parameters import ParameterInvalid
from analytics.sandbox.duckdb_errors import explain
from analytics.sandbox.errors import SqlRefused
from analytics.sandbox.statements import check_statement
from analytics.windows import Window
from server.reports.convert import to_report, to_tables
from server.reports.errors import SqlHasMistake, SqlIsRefused
from server.rpc.errors import ApiError, InvalidField
from tests.support.ui.fake_server import FakeServer
from tests.support.ui.sample import CODES, NOW, SOURCES

LAKE_TIME = NOW.replace(minute=0, second=0)
"""Up to when the sample's hours are exported."""
_CALLS = 6000
_DAYS = 30
_ROW_LIMIT = 10_000
Response = TypeVar("Response", pb.RunReportResponse, pb.RunSqlResponse)
_LOCK = threading.Lock()
_PROMPTS = ("Summarise this ticket", "Translate the release notes", "Why was my card charged twice?")


def _call(number: int, chance: random.Random) -> dict[str, object]:
    source = chance.choices(SOURCES, [each.weight for each in SOURCES])[0]
    age = timedelta(seconds=chance.triangular(0, _DAYS * 86_400, 0))
    start = NOW - age
    office = 1.6 if 8 <= start.hour < 18 else 1.0
    latency = source.latency_s * office * chance.lognormvariate(0, 0.45)
    failed = chance.random() < source.errors * 3
    streamed = source.op == "chat"
    tokens_in, tokens_out = int(chance.lognormvariate(6.4, 0.7)), int(chance.lognormvariate(5.2, 0.8))
    priced = source.nano_usd is not None and not failed
    cost = int((source.nano_usd or 0) * (tokens_in + 3 * tokens_out) / 1200) if priced else None
    user = f"user-{min(int(chance.expovariate(0.35)) + 1, 12):03}"
    return {
        "log_id": f"01a2{number:028x}",
        "start_time": start,
        "receive_time": start,
        "end_time": start + timedelta(seconds=latency),
        "latency_us": int(latency * 1e6),
        "time_to_first_token_us": int(latency * 2.8e5) if streamed and not failed else None,
        "input_token_count": tokens_in,
        "output_token_count": None if failed else tokens_out,
        "total_token_count": None if failed else tokens_in + tokens_out,
        "cache_read_token_count": tokens_in // 2 if chance.random() < 0.3 else 0,
        "cost_nano_usd": cost,
        "http_status": 429 if failed else 200,
        "streamed": streamed,
        "provider": source.provider,
        "model": source.model,
        "operation": source.op,
        "environment": source.env,
        "outcome": "error" if failed else "cancelled" if chance.random() < 0.01 else "success",
        "error_code": chance.choice(CODES[source.provider]) if failed else "",
        "error_message": f"Limit of {chance.randrange(100, 900)} requests reached" if failed else "",
        "finish_reason": "" if failed else chance.choices(("stop", "length", "tool_calls"), (8, 1, 2))[0],
        "session_id": f"session-{number // 4:05}",
        "user_id": user,
        "release": "2026.11",
        "source": "sdk-python",
        "usage_source": "missing" if failed else "reported",
        "input_preview": chance.choice(_PROMPTS),
        "metadata": [("tenant", chance.choice(("north", "south")))],
        "tags": ["beta"] if chance.random() < 0.1 else [],
    }


@cache
def _database() -> duckdb.DuckDBPyConnection:
    chance = random.Random(3)
    calls = [_call(number, chance) for number in range(_CALLS)]
    columns = {
        field.name: pa.array(
            [call.get(field.name, "" if field.type == pa.string() else None) for call in calls], field.type
        )
        for field in SCHEMA
    }
    sample = pa.table(columns)  # noqa: F841 - DuckDB reads it by its name
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        "CREATE TABLE calls AS SELECT *, 'default' AS project_id, CAST(start_time AS DATE) AS date,"
        " CAST(hour(start_time) AS BIGINT) AS hour FROM sample"
    )
    connection.execute("SET enable_external_access = false")
    return connection


def _answer(
    make: type[Response], sql: str, parameters: Mapping[str, object], time_range: TimeRange
) -> Iterator[Response]:
    start, end = (time.ToDatetime(tzinfo=UTC) for time in (time_range.start_time, time_range.end_time))
    with _LOCK:
        connection = _database()
        connection.execute(
            "CREATE OR REPLACE VIEW logs AS SELECT * FROM calls WHERE start_time >= "
            f"'{start.isoformat()}' AND start_time < '{end.isoformat()}'"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)  # whose errors name a line
        found = connection.sql(sql, params=parameters)
        described = [
            pb.ResultColumn(name=name, type=str(kind))
            for name, kind in zip(found.columns, found.types, strict=True)
        ]
        table = found.to_arrow_table()
    columns = pb.ResultColumns(columns=described, time_range=time_range)
    yield make(columns=columns)
    stream = pa.BufferOutputStream()
    sent = table.slice(0, _ROW_LIMIT)
    with pa.ipc.new_stream(stream, sent.schema) as writer:
        writer.write_table(sent)
    yield make(arrow=stream.getvalue().to_pybytes())
    finish = pb.ResultEnd(row_count=sent.num_rows, truncated=table.num_rows > sent.num_rows)
    if start < LAKE_TIME:
        finish.lake_time.FromDatetime(min(LAKE_TIME, end))
    yield make(end=finish)


def run_report(request: pb.RunReportRequest) -> list[pb.RunReportResponse] | ApiError:
    report = reports()[request.name]
    times: list[datetime] = [
        time.ToDatetime(tzinfo=UTC) for time in (request.time_range.start_time, request.time_range.end_time)
    ]
    try:
        statement = report.statement(request.parameters, Window(*times))
    except ParameterInvalid as error:
        return InvalidField([(f"parameters[{error.name}]", error.problem)])
    parts = list(_answer(pb.RunReportResponse, statement.sql, statement.parameters, request.time_range))
    descriptions = {column.name: column.description for column in report.columns}
    for column in parts[0].columns.columns:
        column.description = descriptions[column.name]
    return parts


def run_sql(request: pb.RunSqlRequest) -> list[pb.RunSqlResponse] | ApiError:
    try:
        with _LOCK:
            check_statement(_database(), request.sql, trusted=False)
        return list(_answer(pb.RunSqlResponse, request.sql, {}, request.time_range))
    except SqlRefused as error:
        return SqlIsRefused(error.rule, error.sentence)
    except duckdb.Error as error:
        explained = explain(error)
        if isinstance(explained, SqlRefused):
            return SqlIsRefused(explained.rule, explained.sentence)
        return SqlHasMistake(explained.sentence)


def last_export(time: datetime = LAKE_TIME) -> exports.ListExportsResponse:
    export = exports.Export(
        export_id="01a2",
        state=exports.EXPORT_STATE_SUCCEEDED,
        row_count=412,
        files=["x"] * 12,
        size_bytes=3_100_000,
    )
    export.create_time.FromDatetime(time)
    return exports.ListExportsResponse(exports=[export])


def serve_reports(fake: FakeServer) -> None:
    """Have a server answer reports and SQL over the sample's calls."""
    fake.answers |= {
        "ReportService.ListReports": pb.ListReportsResponse(reports=map(to_report, reports().values())),
        "ReportService.DescribeTables": lambda _: pb.DescribeTablesResponse(tables=to_tables()),
        "ReportService.RunReport": run_report,
        "ReportService.RunSql": run_sql,
        "ExportService.ListExports": lambda _: last_export(),
    }

"""Queries in the sandbox: what they read, what they answer, and how answers are cut."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from analytics.lake.schema import SCHEMA
from analytics.sandbox.errors import (
    QueryProcessesBusy,
    SourceUnavailable,
    SqlFailed,
    SqlLimitExceeded,
    SqlRefused,
)
from analytics.sandbox.processes import MAX_WAITING_PER_PROJECT, QueryProcesses
from analytics.sandbox.query import REPORT_LIMITS, Column, HourFile, Limits, Query, Source
from analytics.sandbox.settings import SandboxSettings
from tests.support.sandbox import (
    FIRST_HOUR,
    HOURS,
    ROWS,
    ask,
    hour_of_logs,
    ipc,
    make_lake,
    source_of,
    write_hour,
)

GENEROUS = Limits(cpu_s=60, time_s=120)
"""No test of what is answered may fail because the machine is slow."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return make_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
async def processes():
    async with QueryProcesses(SandboxSettings(processes=2, queue_timeout_s=120)) as started:
        yield started


async def rows(processes, sql, source, **parameters):
    return (await ask(processes, sql, source, parameters=parameters, limits=GENEROUS)).rows


async def test_logs_have_the_schema_and_the_folders(processes, lake):
    answer = await ask(processes, "SELECT * FROM logs", source_of(lake), limits=GENEROUS)
    assert [column.name for column in answer.columns.columns] == [*SCHEMA.names, "project_id", "date", "hour"]
    types = {column.name: column.type for column in answer.columns.columns}
    assert types["start_time"] == "TIMESTAMP WITH TIME ZONE"
    assert types["metadata"] == "MAP(VARCHAR, VARCHAR)"
    assert (types["date"], types["hour"], types["project_id"]) == ("DATE", "BIGINT", "VARCHAR")
    table = pa.ipc.open_stream(answer.data).read_all()
    assert table.select(SCHEMA.names).cast(SCHEMA).sort_by("start_time") == pa.concat_tables(
        hour_of_logs(FIRST_HOUR + timedelta(hours=index), "hello") for index in range(HOURS)
    )
    assert (answer.end.row_count, answer.end.truncated) == (HOURS * ROWS, False)


async def test_folders_are_columns(processes, lake):
    found = await rows(
        processes, "SELECT date, hour, count(*) FROM logs GROUP BY ALL ORDER BY date, hour", source_of(lake)
    )
    assert [(str(date), hour, count) for date, hour, count in found] == [
        ("2026-11-02", 22, ROWS), ("2026-11-02", 23, ROWS), ("2026-11-03", 0, ROWS), ("2026-11-03", 1, ROWS),
    ]  # fmt: skip


async def test_the_window_cuts_hours(processes, lake):
    start = FIRST_HOUR + timedelta(minutes=30)
    source = source_of(lake, start=start, end=start + timedelta(hours=1))
    assert await rows(processes, "SELECT count(*), min(start_time) FROM logs", source) == [(ROWS, start)]


async def test_live_logs_are_read_beside_files(processes, lake):
    hour = FIRST_HOUR + timedelta(hours=HOURS)
    live = ipc(hour_of_logs(hour, "live"))
    source = source_of(lake, end=hour + timedelta(minutes=30), live=live)
    sql = "SELECT input_preview, project_id, min(date), min(hour), count(*) FROM logs GROUP BY ALL ORDER BY 1"
    found = await rows(processes, sql, source)
    assert [(text, project, str(date), first, n) for text, project, date, first, n in found] == [
        ("hello", "mine", "2026-11-02", 0, HOURS * ROWS),
        ("live", "mine", "2026-11-03", 2, ROWS // 2),
    ]


@pytest.mark.parametrize("live", [False, True])
async def test_without_files(processes, live):
    data = ipc(hour_of_logs(FIRST_HOUR, "live")) if live else b""
    source = Source("mine", FIRST_HOUR, FIRST_HOUR + timedelta(days=1), live=data)
    assert await rows(processes, "SELECT count(*) FROM logs", source) == [(ROWS if live else 0,)]


async def test_parameters(processes, lake):
    time = datetime(2026, 11, 3, tzinfo=UTC)
    found = await rows(
        processes,
        "SELECT $text, $number + 1, $ratio, $flag, $nothing IS NULL, count(*) FROM logs "
        "WHERE start_time < $time",
        source_of(lake),
        text="it's", number=41, ratio=0.5, flag=True, nothing=None, time=time,
    )  # fmt: skip
    assert found == [("it's", 42, 0.5, True, True, 2 * ROWS)]


async def test_types_of_columns_are_duckdbs(processes, lake):
    sql = "SELECT 1.5::DECIMAL(10, 2) AS a, [1] AS b, now() AS c, {'x': 1} AS d"
    answer = await ask(processes, sql, source_of(lake), limits=GENEROUS)
    assert answer.columns.columns == (
        Column("a", "DECIMAL(10,2)"), Column("b", "INTEGER[]"),
        Column("c", "TIMESTAMP WITH TIME ZONE"), Column("d", "STRUCT(x INTEGER)"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "sql",
    [
        "FROM logs",
        "TABLE logs",
        "VALUES (1)",
        "DESCRIBE logs",
        "SUMMARIZE logs",
        "SHOW TABLES",
        "PIVOT logs ON model IN ('model-1', 'model-2') USING count(*)",
        "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT max(i) FROM n",
        "SELECT model, row_number() OVER (PARTITION BY model ORDER BY latency_us) FROM logs QUALIFY 1 = 1;",
        "SELECT list_transform(tags, lambda x: upper(x)), metadata['tenant'] FROM logs -- a comment",
        "SELECT (SELECT max(latency_us) FROM logs AS b WHERE b.model = a.model) FROM logs AS a",
    ],
)
async def test_what_is_a_select(processes, lake, sql):
    assert (await ask(processes, sql, source_of(lake), limits=GENEROUS)).end.row_count > 0


async def test_rows_are_cut_while_they_are_made(processes, lake):
    limits = Limits(rows=2_500, cpu_s=60, time_s=120)
    answer = await ask(processes, "SELECT * FROM range(1_000_000_000_000)", source_of(lake), limits=limits)
    assert (answer.end.row_count, answer.end.truncated) == (2_500, True)
    assert answer.rows == [(number,) for number in range(2_500)]


@pytest.mark.parametrize(("count", "truncated"), [(9, False), (10, False), (11, True)])
async def test_cut_is_said_exactly(processes, lake, count, truncated):
    limits = Limits(rows=10, cpu_s=60, time_s=120)
    answer = await ask(processes, f"SELECT * FROM range({count})", source_of(lake), limits=limits)
    assert (answer.end.row_count, answer.end.truncated) == (min(count, 10), truncated)
    assert len(answer.rows) == answer.end.row_count


async def test_bytes_are_cut_between_rows(processes, lake):
    limits = Limits(bytes=1 << 20, cpu_s=60, time_s=120)
    sql = "SELECT repeat('x', 100_000) FROM range(50)"
    answer = await ask(processes, sql, source_of(lake), limits=limits)
    assert (answer.end.row_count, answer.end.truncated) == (10, True)
    assert len(answer.rows) == 10


async def test_a_row_that_is_too_large_says_so(processes, lake):
    limits = Limits(bytes=1 << 20, cpu_s=60, time_s=120)
    with pytest.raises(SqlLimitExceeded, match="One row of the answer is larger than 1 MiB") as raised:
        await ask(processes, "SELECT repeat('x', 2_000_000)", source_of(lake), limits=limits)
    assert raised.value.limit == "row-size"


async def test_order_is_kept(processes, lake):
    sql = "SELECT log_id FROM logs ORDER BY start_time DESC"
    found = await ask(processes, sql, source_of(lake), limits=REPORT_LIMITS, trusted=True)
    assert [row[0] for row in found.rows][:2] == ["0301-19", "0301-18"]


@pytest.mark.parametrize(
    ("sql", "rule", "sentence"),
    [
        ("", "empty", "There is no statement"),
        (" ; -- nothing", "empty", "There is no statement"),
        ("SELECT 1; SELECT 2", "one-statement", "There are 2 statements"),
        ("SELECT " + " " * 20_000 + "1", "length", "at most 20,000 are allowed"),
        ("EXPLAIN SELECT 1", "select-only", "EXPLAIN is not available"),
        ("PIVOT logs ON model USING count(*)", "select-only", "PIVOT needs its values by name"),
        ("DROP VIEW logs", "select-only", "DROP is not allowed"),
        ("SELECT * FROM 'x.parquet'", "external-access", "SQL can read the view logs and nothing else"),
    ],
)
async def test_refusals_are_sentences(processes, lake, sql, rule, sentence):
    with pytest.raises(SqlRefused, match=sentence) as raised:
        await ask(processes, sql, source_of(lake), limits=GENEROUS)
    assert raised.value.rule == rule


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nothing FROM logs", '"nothing" not found'),
        ("SELECT * FROM calls", "There is no table calls. Logs are in the view logs"),
        ("SELECT 'a'::INTEGER", "Could not convert string"),
        ("SELECT 'out of memory: INTERRUPT'::INTEGER", "Could not convert string"),
        ("SELECT $missing", "missing"),
    ],
)
async def test_failures_are_duckdbs_sentences(processes, lake, sql, sentence):
    with pytest.raises(SqlFailed, match=sentence) as raised:
        await ask(processes, sql, source_of(lake), limits=GENEROUS)
    assert "analytics" not in raised.value.sentence


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("SELEC 1", "LINE 1: SELEC"),
        ("SELECT 1,\n FROM WHERE", "LINE 2: "),
        ("SELECT CAST('a' AS INT)", "LINE 1: SELECT CAST"),
        ("SELECT 1,\n CAST(provider AS INT) FROM logs", "LINE 2:  CAST"),
    ],
)
async def test_errors_count_the_lines_of_the_statement(processes, lake, sql, line):
    with pytest.raises(SqlFailed) as caught:
        await ask(processes, sql, source_of(lake))
    assert line in caught.value.sentence


async def test_broken_files_are_not_the_fault_of_the_sql(processes, tmp_path):
    path = write_hour(tmp_path, "mine", FIRST_HOUR, hour_of_logs(FIRST_HOUR, "hello"))
    good = write_hour(tmp_path, "mine", FIRST_HOUR + timedelta(hours=1), hour_of_logs(FIRST_HOUR, "hello"))
    assert len(await rows(processes, "FROM logs", source_of(tmp_path))) == 2 * ROWS
    good.write_bytes(good.read_bytes()[:-100])
    with pytest.raises(SourceUnavailable, match="file of the hour 2026-11-02 23:00"):
        await rows(processes, "SELECT count(model) FROM logs", source_of(tmp_path))
    path.write_bytes(b"no parquet")
    with pytest.raises(SourceUnavailable, match="file of the hour 2026-11-02 22:00"):
        await rows(processes, "SELECT count(*) FROM logs", source_of(tmp_path))
    source = source_of(tmp_path)
    path.unlink()
    with pytest.raises(SourceUnavailable, match="22:00 cannot be opened: No such file"):
        await rows(processes, "SELECT count(*) FROM logs", source)


@pytest.mark.parametrize("linked", ["file", "folder"])
async def test_links_to_other_projects_are_not_followed(processes, lake, tmp_path, linked):
    (tmp_path / "project_id=mine/date=2026-11-02/hour=22").mkdir(parents=True)
    link = tmp_path / "project_id=mine/date=2026-11-02/hour=22/logs.parquet"
    target = lake / "project_id=other/date=2026-11-02/hour=22/logs.parquet"
    if linked == "folder":
        link.parent.rmdir()
        link, target = link.parent, target.parent
    link.symlink_to(target)
    with pytest.raises(SourceUnavailable, match="is not in the project's folder"):
        await rows(processes, "SELECT * FROM logs", source_of(tmp_path))


async def test_a_fifo_is_no_file(processes, tmp_path):
    path = tmp_path / "project_id=mine" / "fifo"
    path.parent.mkdir()
    os.mkfifo(path)
    source = Source("mine", FIRST_HOUR, FIRST_HOUR + timedelta(hours=1), (HourFile(FIRST_HOUR, str(path)),))
    with pytest.raises(SourceUnavailable, match="it is no file"):
        await rows(processes, "SELECT 1", source)


async def test_a_project_has_one_query_at_a_time(lake):
    """The first ones are abandoned, so that nothing here takes long."""
    settings = SandboxSettings(processes=1, queue_timeout_s=0.05)
    endless = Query("SELECT sum(range) FROM range(1_000_000_000_000)", source_of(lake), limits=GENEROUS)
    async with QueryProcesses(settings) as processes:
        first = asyncio.create_task(anext(processes.run(endless)))
        while not processes._waiting:
            await asyncio.sleep(0)
        with pytest.raises(QueryProcessesBusy, match="Other queries are running"):
            await ask(processes, "SELECT 1", source_of(lake))
        with pytest.raises(QueryProcessesBusy, match="Other queries are running"):
            await ask(processes, "SELECT 1", source_of(lake, "other"))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_too_many_waiting_are_refused_at_once(lake):
    endless = Query("SELECT sum(range) FROM range(1_000_000_000_000)", source_of(lake), limits=GENEROUS)
    async with QueryProcesses(SandboxSettings(processes=1, queue_timeout_s=600)) as processes:
        tasks = [asyncio.create_task(anext(processes.run(endless))) for _ in range(MAX_WAITING_PER_PROJECT)]
        while processes._waiting["mine"] < MAX_WAITING_PER_PROJECT:
            await asyncio.sleep(0)
        with pytest.raises(QueryProcessesBusy, match="Too many queries of this project"):
            await ask(processes, "SELECT 1", source_of(lake))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

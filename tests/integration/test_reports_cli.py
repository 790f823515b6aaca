"""`llm-observe report` and `llm-observe sql`: lists, formats, and errors that say what to do."""

from __future__ import annotations

import asyncio
import csv
import json

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from analytics.reports.catalogue import reports
from stack.cli.main import cli
from stack.errors import StackError
from tests.support.lake_history import LAKE_START, row_at
from tests.support.packing import insert

RANGE = ("--from", f"{LAKE_START:%Y-%m-%d}", "--to", f"{LAKE_START:%Y-%m-%d}T23:59")


@pytest.fixture
async def run(database, server, monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{server.port}")
    rows = [row_at(1, model="=m", cost_nano_usd=5), row_at(2, model="n", cost_nano_usd=None), row_at(30)]
    await insert(database, rows)

    async def invoke(*words):
        return await asyncio.to_thread(CliRunner().invoke, cli, words)

    return invoke


async def test_without_a_name_all_reports_are_listed(run):
    output = (await run("report")).output
    assert [line.split("\t")[0] for line in output.splitlines()] == list(reports())


async def test_a_report_is_printed_in_the_form_that_was_asked_for(run, tmp_path):
    words = ("report", "cost", *RANGE, "--set", "dimension=model", "--set", "limit=5")
    lines = (await run(*words)).output.splitlines()
    assert [line.split("\t")[:4] for line in lines] == [["=m", "1", "0", "5e-09"], ["n", "1", "1", ""]]
    rows = list(csv.DictReader((await run(*words, "--format", "csv")).output.splitlines()))
    assert [(row["value"], row["total_cost_nano_usd"]) for row in rows] == [("'=m", "5"), ("n", "")]
    rows = json.loads((await run(*words, "--format", "json")).output)
    assert [(row["value"], row["total_cost_nano_usd"]) for row in rows] == [("=m", 5), ("n", None)]
    path = tmp_path / "cost.parquet"
    assert (await run(*words, "--format", "parquet", "--output", str(path))).exit_code == 0
    table = parquet.read_table(path)
    assert table["value"].to_pylist() == ["=m", "n"]
    assert table.schema.field("total_cost_nano_usd").type == pa.int64()


async def test_sql_is_run_and_cut(run):
    statement = "SELECT start_time, date, metadata, 0.5 AS half FROM logs ORDER BY start_time"
    result = await run("sql", statement, *RANGE, "--limit", "1", "--format", "json")
    (row,) = json.loads(result.stdout)
    assert (row["start_time"], row["date"]) == (
        f"{LAKE_START:%Y-%m-%d}T01:00:00+00:00",
        f"{LAKE_START:%Y-%m-%d}",
    )
    assert "cut after 1 rows" in result.stderr
    result = await run("sql", "SELECT DATE '2026-01-02', 0.125::DOUBLE, NULL, true, [1]")
    assert result.stdout == "2026-01-02\t0.125\t\ttrue\t[1]\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "none"), "report not found; ListReports"),
        (("report", "cost", "--set", "dimension=x"), r"dimension\]: must be one of all, provider"),
        (("sql", "DROP TABLE logs"), "SELECT"),
        (("sql", "SELECT x FROM logs"), "x"),
    ],
)
async def test_errors_say_what_to_do(run, words, said):
    result = await run(*words)
    assert isinstance(result.exception, StackError)
    with pytest.raises(StackError, match=said):
        raise result.exception


async def test_a_setting_without_a_value_is_refused(run):
    result = await run("report", "cost", "--set", "dimension")
    assert result.exit_code == 2
    assert "NAME=VALUE" in result.output


@pytest.mark.parametrize(
    ("value", "form"), [("DATE '99999-01-01'", "table"), ("[TIMESTAMPTZ 'infinity']", "json")]
)
async def test_times_that_python_has_not_are_an_error_with_a_way_out(run, tmp_path, value, form):
    result = await run("sql", f"SELECT {value} AS x", "--format", form)
    assert isinstance(result.exception, StackError)
    assert "--format parquet" in str(result.exception)
    words = ("--format", "parquet", "--output", str(tmp_path / "x"))
    assert (await run("sql", f"SELECT {value} AS x", *words)).exit_code == 0


async def test_json_has_null_for_what_is_no_number(run):
    statement = "SELECT 'NaN'::DOUBLE AS a, ['inf'::DOUBLE, 1.5] AS b, {'c': '-inf'::DOUBLE} AS d"
    result = await run("sql", statement, "--format", "json")

    def refuse(word):
        raise AssertionError(word)

    assert json.loads(result.stdout, parse_constant=refuse) == [
        {"a": None, "b": [None, 1.5], "d": {"c": None}}
    ]

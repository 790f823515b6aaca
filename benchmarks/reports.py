"""Every report over thirty days of logs in a lake, each in a query process as the server runs it.

python -m benchmarks.reports [logs] [only...]: by default ten million; `only` names reports. The lake is made
once and kept in .llm-observe/benchmarks (LLM_OBSERVE_BENCHMARK_DATA). Its last two hours are not read from
files: they are handed over as logs that Postgres alone has.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import parquet

from analytics.lake.layout import hour_file
from analytics.lake.schema import SCHEMA
from analytics.reports.catalogue import reports
from analytics.sandbox.processes import QueryProcesses
from analytics.sandbox.query import REPORT_LIMITS, End, HourFile, Query, Source
from analytics.sandbox.settings import SandboxSettings
from analytics.windows import HOUR, Window
from benchmarks.dashboard_data import data_folder
from benchmarks.report import report
from stack.cli.output import progress

_HOURS = 30 * 24
_LIVE_HOURS = 2
_GROUPS = 20
_GOAL_S = 3.0
_END = datetime(2026, 11, 25, tzinfo=UTC)
_WINDOW = Window(_END - _HOURS * HOUR, _END)
_HOUR_OF_LOGS = (Path(__file__).with_suffix(".sql")).read_text("utf-8")


def lake_folder(logs: int) -> Path:
    """Return where the lake of a size lies."""
    return data_folder(logs, _GROUPS).with_name(f"lake-{logs}")


def make_hour(connection: duckdb.DuckDBPyConnection, hour: datetime, logs: int) -> pa.Table:
    """Return an hour's logs, skewed as those of benchmarks.dashboard; what is not made is null, or ''."""
    values = {"hour": hour, "logs": logs, "groups": _GROUPS}
    made = connection.sql(_HOUR_OF_LOGS, params=values).to_arrow_table()
    columns = {name: made[name] for name in made.schema.names}
    for field in SCHEMA:
        empty = "" if field.type == pa.string() else None
        columns.setdefault(field.name, pa.array([empty] * made.num_rows, field.type))
    return pa.Table.from_pydict({name: columns[name] for name in SCHEMA.names}).cast(SCHEMA)


def fill(folder: Path, logs: int) -> list[HourFile]:
    """Make the files that are missing; return all."""
    files = []
    with duckdb.connect() as connection, progress("filling", _HOURS) as update:
        connection.execute("SET timezone = 'UTC'; SET threads = 1").fetchall()
        for number in range(_HOURS):
            hour = _WINDOW.start + number * HOUR
            path = folder / hour_file("default", hour)
            if not path.exists():
                connection.execute("SELECT setseed(?)", [number / _HOURS]).fetchall()
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_suffix(".tmp")
                parquet.write_table(make_hour(connection, hour, logs // _HOURS), part, compression="zstd")
                part.rename(path)
            files.append(HourFile(hour, str(path)))
            update(number + 1, None)
    return files


def stream(files: list[HourFile]) -> bytes:
    """Return the logs of some files as Postgres' would come."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        for file in files:
            writer.write_table(parquet.read_table(file.path, partitioning=None).cast(SCHEMA))
    return bytes(sink.getvalue())


async def ask(processes: QueryProcesses, source: Source, name: str) -> dict[str, Any]:
    """Run a report; return what it took."""
    statement = reports()[name].statement({}, _WINDOW)
    query = Query(statement.sql, source, statement.parameters, REPORT_LIMITS, trusted=True)
    started = time.perf_counter()
    async with aclosing(processes.run(query)) as parts:
        *_, end = [part async for part in parts]
    wall_s = time.perf_counter() - started
    assert isinstance(end, End)
    return {
        "wall_s": round(wall_s, 2),
        "cpu_s": round(end.cpu_s, 2),
        "peak_mb": end.peak_bytes >> 20,
        "rows": end.row_count,
        "truncated": end.truncated,
    }


async def main(logs: int, names: list[str]) -> None:
    files = fill(lake_folder(logs), logs)
    exported, live = files[:-_LIVE_HOURS], stream(files[-_LIVE_HOURS:])
    source = Source("default", *_WINDOW, tuple(exported), live)
    found = {}
    async with QueryProcesses(SandboxSettings()) as processes:
        for name in names or list(reports()):
            found[name] = await ask(processes, source, name)
    slow = [name for name, took in found.items() if took["wall_s"] > _GOAL_S]
    report(logs=logs, live_logs=logs // _HOURS * _LIVE_HOURS, reports=found, slower_than_goal=slow)


if __name__ == "__main__":
    asyncio.run(main(int((sys.argv[1:] or ["10000000"])[0]), sys.argv[2:]))

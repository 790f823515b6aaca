"""A small lake of three projects, and queries over it in a sandbox."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analytics.lake.schema import SCHEMA
from analytics.sandbox.errors import SandboxError
from analytics.sandbox.processes import QueryProcesses
from analytics.sandbox.query import Chunk, Columns, End, Limits, Query, Source

FIRST_HOUR = datetime(2026, 11, 2, 22, tzinfo=UTC)
HOURS = 4
ROWS = 20
CANARY = "canary-of-others"
"""In every text that no query may see."""


def hour_of_logs(hour: datetime, text: str, rows: int = ROWS) -> pa.Table:
    """Logs at equal distances, from the hour's beginning on."""
    step = timedelta(hours=1) / rows
    values = {
        "log_id": [f"{hour:%d%H}-{row}" for row in range(rows)],
        "start_time": [hour + row * step for row in range(rows)],
        "model": [f"model-{row % 3}" for row in range(rows)],
        "latency_us": list(range(rows)),
        "input_preview": [text] * rows,
        "metadata": [[("tenant", f"t{row % 2}")] for row in range(rows)],
        "tags": [["a", "b"]] * rows,
    }
    columns = [
        pa.array(values[field.name], field.type)
        if field.name in values
        else pa.array([""] * rows if field.type == pa.string() else [None] * rows, field.type)
        for field in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)


def ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def write_hour(lake: Path, project_id: str, hour: datetime, table: pa.Table) -> Path:
    folder = lake / f"project_id={project_id}" / f"date={hour:%Y-%m-%d}" / f"hour={hour:%H}"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "logs.parquet", compression="zstd")
    return folder / "logs.parquet"


def make_lake(lake: Path) -> Path:
    """Four hours over midnight of ``mine``, and of two projects that it may not see."""
    for index in range(HOURS):
        hour = FIRST_HOUR + timedelta(hours=index)
        write_hour(lake, "mine", hour, hour_of_logs(hour, "hello"))
        for other in ("mine-2", "other"):
            write_hour(lake, other, hour, hour_of_logs(hour, CANARY))
    return lake


def source_of(lake: Path, project_id: str = "mine", **replaced) -> Source:
    window = {"start": FIRST_HOUR, "end": FIRST_HOUR + timedelta(hours=HOURS)} | replaced
    return Source.from_folder(lake, project_id, **window)


@dataclass
class Answer:
    columns: Columns
    data: bytes
    end: End

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in pa.ipc.open_stream(self.data).read_all().to_pylist()]


async def ask(processes: QueryProcesses, sql: str, source: Source, **options) -> Answer:
    async with aclosing(processes.run(Query(sql, source, **options))) as parts:
        first, *middle, last = [part async for part in parts]
    assert isinstance(first, Columns)
    assert isinstance(last, End)
    chunks = [part.data for part in middle if isinstance(part, Chunk)]
    assert len(chunks) == len(middle)
    assert all(len(chunk) <= 1 << 20 for chunk in chunks)
    return Answer(first, b"".join(chunks), last)


async def outcome(
    processes: QueryProcesses, sql: str, source: Source, limits: Limits
) -> Answer | SandboxError:
    try:
        return await ask(processes, sql, source, limits=limits)
    except SandboxError as error:
        return error

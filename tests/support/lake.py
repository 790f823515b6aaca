"""A lake in tests: exports into it, and a comparison of all that it holds with Postgres."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pyarrow as pa
from pyarrow import fs, parquet

from analytics.lake.folder import FolderStore
from analytics.lake.layout import hour_file
from analytics.lake.s3 import S3Store
from analytics.lake.schema import SCHEMA
from analytics.lake.settings import LakeSettings
from analytics.windows import HOUR, floor
from codec.rows import to_row
from storage.columns import LogRow
from storage.pool import Database
from tests.support.logs import make_log
from tests.support.prices import BOOK
from worker.tasks.export_logs import LogExporter

START = floor(datetime.now(UTC), timedelta(days=1)) - timedelta(days=3)
"""A whole day that is over, in which most logs of these tests start."""


def lake_settings(url: object, **changes: Any) -> LakeSettings:
    """Return the settings of a lake whose hours are sealed at their end."""
    return LakeSettings(**{"url": str(url), "seal_delay_s": 0, "outage_s": 0, **changes})


def row_at(hours: float, *, project_id: str = "default", **fields: Any) -> LogRow:
    """Return a row that starts so many hours after START; fields are those of LogRow, or of a Log."""
    of_row = {name: fields.pop(name) for name in list(fields) if name in LogRow._fields}
    row = to_row(make_log(**fields), project_id=project_id, receive_time=START, prices=BOOK)
    return row._replace(start_time=START + timedelta(hours=hours), **of_row)


async def export_all(database: Database, settings: LakeSettings) -> None:
    """Queue an export of all that is due, and run it, as the scheduler and a worker do each hour."""
    store = settings.open_store()
    assert store is not None
    exporter = LogExporter(database, store, settings)
    await exporter.queue_exports()
    while await exporter.run_next():
        pass


def read_lake(settings: LakeSettings) -> dict[str, bytes]:
    """Return every file of a lake that a reader would see, by its name."""
    store = settings.open_store()
    if isinstance(store, FolderStore):
        files = (path for path in Path(store.root).rglob("*") if path.is_file())
        return {str(path.relative_to(store.root)): path.read_bytes() for path in files}
    assert isinstance(store, S3Store)
    found = store.filesystem().get_file_info(
        fs.FileSelector(store.root, recursive=True, allow_not_found=True)
    )
    return {
        info.path.removeprefix(store.root + "/"): store.filesystem().open_input_file(info.path).read()
        for info in found
        if info.type is fs.FileType.File
    }


def rows_of(file: bytes) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file, maps as dicts."""
    table = parquet.read_table(pa.BufferReader(file))
    assert table.schema.equals(SCHEMA)
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row["metadata"] = None if row["metadata"] is None else dict(row["metadata"])
    return rows


async def stored_rows(sql: asyncpg.Connection) -> dict[str, list[dict[str, Any]]]:
    """Return what Postgres has of the hours that are over, by the name of their file."""
    files: dict[str, list[dict[str, Any]]] = {}
    end = floor(datetime.now(UTC), HOUR)
    found = await sql.fetch("SELECT * FROM logs WHERE start_time < $1 ORDER BY start_time, log_id", end)
    for record in found:
        row = {name: record[name] for name in SCHEMA.names}
        row["log_id"] = str(row["log_id"])
        for name in ("metadata", "tags"):
            row[name] = json.loads(row[name]) if row[name] is not None else None
        files.setdefault(hour_file(record["project_id"], record["start_time"]), []).append(row)
    return files


async def assert_lake_is_right(sql: asyncpg.Connection, settings: LakeSettings) -> int:
    """Compare the lake with Postgres cell by cell, and with its manifests; return how many rows it has."""
    # In a thread: a relay in front of a bucket runs in this event loop.
    files = await asyncio.to_thread(read_lake, settings)
    stored = await stored_rows(sql)
    parquets = {name for name in files if name.endswith(".parquet")}
    assert parquets == stored.keys()
    for name, rows in stored.items():
        assert rows_of(files[name]) == rows, name
    said: dict[str, Any] = {}
    for name in files.keys() - parquets:
        assert "/_manifest/date=" in name, f"{name} is left in the lake"
        manifest = json.loads(files[name])
        for file in manifest["files"]:
            assert manifest["date"] in file["path"]
            said[file["path"]] = file
        assert manifest["row_count"] == sum(file["row_count"] for file in manifest["files"])
    assert said.keys() == parquets
    for name, file in said.items():
        assert file["row_count"] == len(stored[name])
        assert file["size_bytes"] == len(files[name])
        assert file["sha256"] == hashlib.sha256(files[name]).hexdigest()
    dirty = await sql.fetchval("SELECT count(*) FROM lake_hours WHERE generation <> exported_generation")
    assert dirty == 0
    return sum(map(len, stored.values()))

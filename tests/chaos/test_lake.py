"""Two exporters, one of them killed again and again, two writers, and a reader of all files, all at once.

The reader sees whole files only. In the end the lake holds what Postgres holds.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import uuid
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from analytics.lake.exporter import export_hour
from analytics.lake.folder import STAGED
from analytics.windows import HOUR
from storage.columns import LogRow
from storage.lake import list_hours
from tests.support.lake import START, assert_lake_is_right, export_all, lake_settings, row_at
from tests.support.packing import insert, upsert
from tests.support.processes import Processes
from tests.support.waiting import eventually

pytestmark = pytest.mark.chaos

KILLS = 5
HOURS = 30
TEXTS = ("plain", 'quotes "" and ,', "lines\r\nand\nmore", "")
EXPORTER = """
import asyncio
from datetime import timedelta
from analytics.lake.settings import LakeSettings
from storage.pool import Database
from storage.settings import StorageSettings
from worker.tasks import export_logs

export_logs.LEASE = timedelta(seconds=1)

async def main():
    settings = LakeSettings()
    exporter = export_logs.LogExporter(Database(StorageSettings()), settings.open_store(), settings)
    while True:
        await exporter.queue_exports()
        await exporter.run_next()

asyncio.run(main())
"""
WRITTEN = "SELECT coalesce(sum(row_count), 0) FROM exports"


class Writer:
    """Writes new logs, corrects some, and moves some to another hour."""

    def __init__(self, database, seed: int) -> None:
        self._database = database
        self._chance = random.Random(seed)
        self.rows: dict[uuid.UUID, LogRow] = {}
        self.moved: set[str] = set()

    def _next(self, age: int):
        chance = self._chance
        rows = [
            row_at(
                chance.random() * HOURS, input_preview=chance.choice(TEXTS), environment=chance.choice("ab")
            )
            for _ in range(15)
        ]
        for row in chance.sample(list(self.rows.values()), min(len(self.rows), 6)):
            changes: dict[str, Any] = {
                "receive_time": row.receive_time + timedelta(seconds=age),
                "output_preview": f"{age}",
            }
            if chance.random() < 0.3:
                changes["start_time"] = START + chance.random() * HOURS * HOUR
                self.moved.add(str(row.log_id))
            rows.append(row._replace(**changes))
        return rows

    async def run(self, until: asyncio.Event) -> None:
        age = 0
        while not until.is_set():
            age += 1
            rows = self._next(age)
            await self._chance.choice((insert, upsert))(self._database, rows)
            self.rows |= {row.log_id: row for row in rows}
            await asyncio.sleep(0)


def read_all(lake: Path) -> Counter[str]:
    """Read every file, opened once, and return how often each log was seen."""
    seen: Counter[str] = Counter()
    for path in lake.glob("project_id=*/date=*/hour=*/logs.parquet"):
        with suppress(FileNotFoundError), path.open("rb") as file:  # all logs of an hour may have moved away
            seen.update(parquet.ParquetFile(file).read()["log_id"].to_pylist())
    return seen


async def read_until(lake: Path, until: asyncio.Event, writers) -> int:
    reads = 0
    while not until.is_set():
        seen = await asyncio.to_thread(read_all, lake)
        # A log that was moved may be in two hours while one of them is not yet written again.
        moved = set().union(*(writer.moved for writer in writers))
        assert not [log_id for log_id, count in seen.items() if count > 1 and log_id not in moved]
        reads += bool(seen)
    return reads


async def export_until(database, settings, until: asyncio.Event) -> None:
    store = settings.open_store()
    while not until.is_set():
        hours = await list_hours(
            database, start=START, end=START + HOURS * HOUR, project_id=None, only_changed=True
        )
        for hour in hours:
            await export_hour(database, store, hour.key, timeout_s=600)
        await asyncio.sleep(0)


async def kill_again_and_again(services: Processes, sql) -> None:
    """Kill the exporter some time after it has written a file, which nobody else notes in exports."""
    for number in range(KILLS):
        before = await sql.fetchval(WRITTEN)
        services.start_program(f"exporter-{number}", [sys.executable, "-c", EXPORTER])

        async def has_written(before=before) -> bool:
            return bool(await sql.fetchval(WRITTEN) > before)

        await eventually(has_written)
        await asyncio.sleep(random.random() * 0.1)
        services.kill(f"exporter-{number}")


def make_staged_files_old(lake: Path) -> None:
    """Make what killed processes have left so old that an export removes it."""
    for left in lake.rglob(STAGED):
        os.utime(left, (0, 0))


async def test_the_lake_is_right_after_kills(database, database_url, sql, tmp_path):
    settings = lake_settings(tmp_path / "lake", outage_s=60)
    lake = Path(settings.url)
    env = {**os.environ, "DATABASE_URL": database_url, "LLM_OBSERVE_LAKE_URL": str(lake)}
    services = Processes(
        tmp_path, {**env, "LLM_OBSERVE_LAKE_SEAL_DELAY_S": "0", "LLM_OBSERVE_DB_TIMEOUT_S": "60"}
    )
    done = asyncio.Event()
    writers = [Writer(database, seed) for seed in (1, 2)]
    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(writer.run(done))
        reading = group.create_task(read_until(lake, done, writers))
        group.create_task(export_until(database, settings, done))
        await kill_again_and_again(services, sql)
        done.set()
    assert reading.result() > 0
    make_staged_files_old(lake)

    async def all_exported() -> bool:
        await export_all(database, settings)
        return not await list_hours(
            database, start=START, end=START + HOURS * HOUR, project_id=None, only_changed=True
        )

    await eventually(all_exported)
    assert await assert_lake_is_right(sql, settings) == len({*writers[0].rows, *writers[1].rows})

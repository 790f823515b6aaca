"""Exporting the last thirty days to a new lake: rows a second, and CPU a row of exporter and Postgres.

python -m benchmarks.lake_export [logs] [groups] [days]: over the data of benchmarks.dashboard, which is made
where it is missing. The lake stays beside the data, for benchmarks of reports.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import sys
import time
from typing import TYPE_CHECKING

import asyncpg
import psutil

from analytics.lake.exporter import export_hour
from analytics.lake.manifest import update_manifest
from analytics.lake.settings import LakeSettings
from analytics.windows import DAY, floor
from benchmarks.dashboard_data import DAYS, data_folder, fill, kept_machine
from benchmarks.report import report
from stack.cli.output import progress
from storage.lake import EARLIEST, list_changed_manifests, list_hours, seal_hours
from storage.pool import Database
from storage.settings import StorageSettings
from worker.tasks.export_run import utc_now

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.machine import Machine

_TIMEOUT_S = 3600.0


def cpu_of(services: Machine) -> tuple[float, float]:
    """Return CPU seconds of this process, and of Postgres with all its backends."""
    postgres = services.running["postgres"]
    used = 0.0
    for process in (postgres, *postgres.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system
    ended = postgres.cpu_times()
    return time.process_time(), used + ended.children_user + ended.children_system


async def export(services: Machine, lake: Path, days: int) -> None:
    database = Database(StorageSettings(database_url=services.env["DATABASE_URL"], timeout_s=_TIMEOUT_S))
    settings = LakeSettings(url=str(lake))
    store = settings.open_store()
    assert store is not None
    end = settings.last_end(utc_now())
    start = floor(end, DAY) - (days - 1) * DAY
    sql = await asyncpg.connect(services.env["DATABASE_URL"])
    await sql.execute("DELETE FROM lake_hours")  # the lake is new
    await sql.close()
    await seal_hours(database, start=EARLIEST, end=end, project_id=None)
    hours = await list_hours(database, start=start, end=end, project_id="default")
    before, began = cpu_of(services), time.perf_counter()
    with progress("exporting", len(hours)) as update:
        for number, hour in enumerate(hours, 1):
            await export_hour(database, store, hour.key, timeout_s=_TIMEOUT_S)
            update(number, None)
    for day in await list_changed_manifests(database, project_id="default", start=start, end=end):
        await update_manifest(database, store, "default", day)
    wall_s = time.perf_counter() - began
    used = [after - earlier for after, earlier in zip(cpu_of(services), before, strict=True)]
    written = await list_hours(database, start=start, end=end, project_id="default")
    rows = sum(hour.row_count for hour in written)
    report(
        benchmark="lake_export",
        rows=rows,
        files=len(written),
        bytes_per_row=round(sum(hour.size_bytes for hour in written) / rows, 1),
        rows_per_s=round(rows / wall_s),
        exporter_us_per_row=round(used[0] / rows * 1e6, 2),
        postgres_us_per_row=round(used[1] / rows * 1e6, 2),
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        lake=str(lake),
    )
    await database.close()


def main() -> None:
    logs, groups, days = (
        int(sys.argv[place]) if len(sys.argv) > place else default
        for place, default in ((1, 10_000_000), (2, 20), (3, DAYS))
    )
    folder = data_folder(logs, groups)
    with kept_machine(folder) as services:
        asyncio.run(fill(services.env["DATABASE_URL"], logs, groups))
        lake = folder / "lake"
        shutil.rmtree(lake, ignore_errors=True)
        asyncio.run(export(services, lake, days))


if __name__ == "__main__":
    main()

"""Thirty days of logs in a database that is kept from run to run."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from analytics.windows import DAY, HOUR, floor
from stack.cli.output import progress
from stack.data_dir import DataDir
from storage.pool import Database
from storage.rollup_merges import count_again, forget_minutes
from storage.settings import StorageSettings
from tests.support.machine import Machine
from tests.support.rollups import COUNT_REQUESTS, merge_all
from worker.tasks.make_digests import DigestMaker

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = 30
_HAS_LOGS = "SELECT EXISTS (SELECT FROM logs WHERE start_time >= $1 AND start_time < $2)"
_FILL = Path(__file__).with_suffix(".sql").read_text("utf-8")


@contextmanager
def kept_machine(folder: Path) -> Iterator[Machine]:
    """Start stores whose data stays."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    services = Machine(DataDir(folder), durable=True)
    try:
        yield services.start_stores()
    finally:
        services.stop_all()


async def fill(url: str, logs: int, groups: int) -> None:
    """Make what is missing of the last thirty days, a day at a time."""
    database = Database(StorageSettings(database_url=url, timeout_s=3600))
    sql = await asyncpg.connect(url)
    await sql.execute("SELECT setseed(0.25)")
    now = datetime.now(UTC)
    await forget_minutes(database, kept_from=floor(now - 48 * HOUR, HOUR))
    filled = 0
    with progress("filling", DAYS) as update:
        for number in range(DAYS):
            day = floor(now, DAY) - number * DAY
            if not await sql.fetchval(
                "SELECT count(*) FROM logs WHERE start_time >= $1 AND start_time < $2", day, day + DAY
            ):
                await sql.execute(_FILL, day, logs // DAYS, groups)
                await sql.execute("DELETE FROM log_keys WHERE start_time > now()")
                await sql.execute("DELETE FROM logs WHERE start_time > now()")
                await count_again(database, day)
                await merge_all(database)
                filled += 1
            update(number + 1, None)
    if filled:
        await sql.execute("VACUUM ANALYZE")
        counted = await sql.fetchval(COUNT_REQUESTS)
        stored = await sql.fetchval("SELECT count(*) FROM logs")
        assert counted == stored, f"{counted} counted, {stored} stored: remove the folder and fill it again"
    await sql.close()
    await database.close()


async def make_digests(url: str) -> dict[str, float]:
    """Make the digests that are missing, and return how many and what they cost."""
    database = Database(StorageSettings(database_url=url, timeout_s=600))
    sql = await asyncpg.connect(url)
    # The database's own time is what its queries took: it makes one digest at a time.
    begin, own = time.perf_counter(), time.process_time()
    await merge_all(database)  # a digest counts once no delta of its minutes waits
    made = await DigestMaker(database).make()
    figures = {
        "made": made,
        "seconds": round(time.perf_counter() - begin, 1),
        "cpu_s_of_the_worker": round(time.process_time() - own, 1),
        "megabytes": round(await sql.fetchval("SELECT pg_total_relation_size('log_digests')") / 1e6),
    }
    await sql.close()
    await database.close()
    return figures


def data_folder(logs: int, groups: int) -> Path:
    """Return where the data of a size lies."""
    base = os.environ.get("LLM_OBSERVE_BENCHMARK_DATA") or ".llm-observe/benchmarks"
    return Path(base).resolve() / f"dashboard-{logs}-{groups}"

"""Mergers, repricers and workers, two of each, are killed in the middle of a transaction, while logs arrive
late, are corrected and delivered again, and rollups of minutes are dropped.

Afterwards every tier, SQL on the raw rows, the CSV export and plain Python say the same, to the last unit.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub

from analytics.checks import verify_rollups
from analytics.pricing import repricing
from analytics.windows import DAY, HOUR
from storage.pool import Database
from storage.rollup_merges import forget_minutes
from storage.rollups import TIERS
from tests.support.prices import book_of
from tests.support.processes import Processes, queue_env
from tests.support.rollups import merge_all
from tests.support.rpc import stub
from tests.support.sending import Sender, midnight
from tests.support.tallies import Tally, read_csv, tally_raw_rows, tally_rollups, tally_rows
from tests.support.waiting import eventually
from worker.queue.broker import LogBroker
from worker.queue.log_queue import LogQueue, queue_stats

pytestmark = pytest.mark.chaos

TODAY = midnight()
ROUNDS = 3
BATCHES = 10
MERGER = """
import asyncio
from storage.pool import Database
from storage.settings import StorageSettings
from worker.settings import RollupSettings
from worker.tasks.merge_rollups import RollupMerger

asyncio.run(RollupMerger(Database(StorageSettings()), RollupSettings()).run())
"""
REPRICER = """
import asyncio
from analytics.pricing import repricing
from analytics.pricing.settings import PricingSettings
from storage.pool import Database
from storage.settings import StorageSettings

async def main():
    database, book = Database(StorageSettings()), PricingSettings().make_price_book()
    while True:
        await repricing.reprice(database, book, repricing.LogRange(), page_size=50)

asyncio.run(main())
"""
PRICES = {
    number: f'[[price]]\nprovider = "openai"\nmodel = "*"\ninput = {rate}\noutput = {2 * rate}\n'
    f'[[price]]\nprovider = "openai"\nmodel = "{unknown}"\n'
    for number, rate, unknown in (("1", 3, "gpt-4o"), ("2", 7, "gpt-4o-mini"))
}
"""Lists that disagree, so that repricers always find something to change."""
IN_THE_MIDDLE = {
    "merge": ("SELECT FROM rollups WHERE tier_minutes = 1440 FOR UPDATE", "DELETE FROM rollup_deltas"),
    "reprice": (
        "SELECT FROM logs WHERE log_id = $1 FOR UPDATE",
        "SET cost_nano_usd = priced.cost|AS key_count",
    ),
    "write": ("SELECT FROM logs WHERE log_id = $1 FOR UPDATE", "INSERT INTO log|SET start_time"),
}
"""What holds a transaction up before it ends, and a pattern of the statement that waits for it then."""
_WAITING = """
WITH RECURSIVE waiting AS (
    SELECT pid, query, application_name FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))
    UNION
    SELECT a.pid, a.query, a.application_name
    FROM pg_stat_activity AS a JOIN waiting AS w ON w.pid = ANY (pg_blocking_pids(a.pid))
)
SELECT application_name FROM waiting WHERE query ~ $2 ORDER BY 1 LIMIT 1
"""


class Killer:
    """Kills processes in the middle of a transaction, which a lock of its own holds up meanwhile."""

    def __init__(
        self, holder: asyncpg.Connection, observer: asyncpg.Connection, processes: Processes
    ) -> None:
        self._holder = holder
        self._observer = observer  # pg_stat_activity stays as it is throughout a transaction
        self._processes = processes
        self.killed: list[tuple[str, str]] = []

    @asynccontextmanager
    async def _no_merger(self) -> AsyncIterator[None]:
        """While many rows are locked, no merger may lock the same ones in another order."""
        await self._holder.fetch("SELECT pg_advisory_lock(hashtext('llm_observe.rollup_merges'))")
        yield
        await self._holder.fetch("SELECT pg_advisory_unlock(hashtext('llm_observe.rollup_merges'))")

    @asynccontextmanager
    async def in_the_middle_of(self, what: str, *row: Any) -> AsyncIterator[None]:
        """Do what happens inside while it is held up, kill who waits for it, and start it again."""
        lock, statement = IN_THE_MIDDLE[what]
        async with self._holder.transaction():
            async with self._no_merger():
                await self._holder.fetch(lock, *row)
            yield
            # Their connections are named after the processes.
            own_pid = self._holder.get_server_pid()
            name = await eventually(lambda: self._observer.fetchval(_WAITING, own_pid, statement))
            self._processes.kill(name)
        self.killed.append((what, name))
        self._processes.restart(name)


@pytest.fixture
async def processes(database_url, queue_settings, tmp_path):
    env = {
        **os.environ,
        **queue_env(database_url, queue_settings),
        # Nothing that is held up may give up before it is killed.
        "LLM_OBSERVE_DB_TIMEOUT_S": "600",
        "LLM_OBSERVE_PRICE_FILE": str(tmp_path / "1.toml"),
    }
    started = Processes(tmp_path, env)
    for number, prices in PRICES.items():
        (tmp_path / f"{number}.toml").write_text(prices)
        for kind, command in {
            "worker": ["-m", "worker"], "merger": ["-c", MERGER], "repricer": ["-c", REPRICER],
        }.items():  # fmt: skip
            name = f"{kind}-{number}"
            own = {
                # A worker merges when it starts, and leaves the rest to the mergers.
                "LLM_OBSERVE_ROLLUP_MERGE_INTERVAL_S": "600" if kind == "worker" else "0.05",
                "DATABASE_URL": f"{database_url}?application_name={name}",
                "LLM_OBSERVE_PRICE_FILE": str(tmp_path / f"{number}.toml"),
            }
            started.start_program(name, [sys.executable, *command], env=own)
    yield started
    started.stop_all()


@pytest.fixture
async def killer(database_url, sql, processes):
    holder = await asyncpg.connect(database_url)
    yield Killer(holder, sql, processes)
    holder.terminate()


@pytest.fixture
async def broker(queue_settings):
    opened = LogBroker(queue_settings)
    yield opened
    await opened.shutdown()


@asynccontextmanager
async def minutes_being_forgotten(database: Database) -> AsyncIterator[None]:
    """Drop rollups of minutes, hour by hour, while the context lasts."""

    async def forget() -> None:
        for hours in itertools.count():
            await forget_minutes(database, kept_from=TODAY - DAY + min(hours, 12) * HOUR)

    forgetting = asyncio.create_task(forget())
    try:
        yield
        assert not forgetting.done()
    finally:
        forgetting.cancel()
        await asyncio.wait({forgetting})


async def test_all_numbers_agree_whoever_is_killed(processes, killer, broker, channel, database, sql):
    sender, queue = Sender(13, TODAY), LogQueue(broker)

    async def put(batches) -> None:
        await asyncio.gather(*map(queue.put, batches))

    async def nothing_is_queued() -> bool:
        return (await queue_stats(broker)).depth == 0

    await put(sender.send(BATCHES))
    await eventually(nothing_is_queued)
    await eventually(lambda: sql.fetchval("SELECT EXISTS (SELECT FROM rollups WHERE tier_minutes = 1440)"))
    async with minutes_being_forgotten(database):
        for _ in range(ROUNDS):
            stored = list(sender.logs)
            async with killer.in_the_middle_of("merge"):
                await put(sender.send(BATCHES))
            async with killer.in_the_middle_of("reprice", stored[0]):
                await put(sender.send(BATCHES))
            async with killer.in_the_middle_of("write", stored[-1]):
                await put([sender.send_again(stored[-1]), *sender.send(BATCHES)])
            assert await verify_rollups(database) == []  # at any moment
            # A batch that was with three workers as they died would become dead letters.
            await eventually(nothing_is_queued)
    processes.stop_all()
    assert [what for what, _ in killer.killed] == [*IN_THE_MIDDLE] * ROUNDS
    assert await sql.fetchval("SELECT count(*) FROM dead_letters") == 0
    await assert_all_agree(sender, channel, database, sql)


async def assert_all_agree(sender, channel, database, sql) -> None:
    """Set the prices of the first list, and compare all numbers, before and after the last merge."""
    first = book_of(PRICES["1"])
    await repricing.reprice(database, first, repricing.LogRange())
    expected = sender.rows(first)
    exported = await export(channel)
    for merged in (False, True):
        assert await verify_rollups(database) == [], f"{merged=}"
        kept_from = await sql.fetchval("SELECT kept_from FROM minute_rollups_kept")
        for tier in TIERS:
            right = tally_rows(expected, tier)
            assert await tally_raw_rows(sql, tier) == right
            assert tally_rows(read_csv(exported), tier) == right
            since = kept_from if tier == 1 else TODAY - timedelta(days=365)
            assert cut(await tally_rollups(sql, tier), since) == cut(right, since)
        await merge_all(database)


async def export(channel) -> str:
    window: Any = {"start_time": TODAY - 30 * DAY, "end_time": TODAY + DAY}
    chunks = stub(AnalyticsServiceStub, channel).ExportLogsCsv(pb.ExportLogsCsvRequest(time_range=window))
    return b"".join([each.chunk async for each in chunks]).decode()


def cut(tally: Tally, since) -> Tally:
    return {key: sums for key, sums in tally.items() if key[0] >= since}

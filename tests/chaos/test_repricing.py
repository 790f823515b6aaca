"""Two repricers with different prices, writers and rebuilds at once; one repricer is killed again and again.

In the end every log has its price, and the rollups count it.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from analytics.pricing import repricing
from codec.rows import to_row
from storage.columns import LogRow
from storage.rollup_merges import count_again
from tests.support.logs import make_log
from tests.support.packing import insert, upsert
from tests.support.prices import BOOK, book_of
from tests.support.processes import Processes
from tests.support.rollups import assert_rollups_are_right, merge_all
from tests.support.waiting import eventually

pytestmark = pytest.mark.chaos

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
ROUNDS = 6
REPRICER = """
import asyncio
from analytics.pricing import repricing
from analytics.pricing.settings import PricingSettings
from storage.pool import Database
from storage.settings import StorageSettings

async def main():
    database, book = Database(StorageSettings()), PricingSettings().make_price_book()
    while True:
        await repricing.reprice(database, book, repricing.LogRange(), page_size=20)

asyncio.run(main())
"""


def price_list(rate: int, *, unknown: str) -> str:
    """Prices of all models but one, for which none is known."""
    known = f'[[price]]\nprovider = "openai"\nmodel = "*"\ninput = {rate}\noutput = {2 * rate}\n'
    return f'{known}[[price]]\nprovider = "openai"\nmodel = "{unknown}"\n'


@dataclass
class Writer:
    """Writes new logs, corrects some, moves some to another day, and delivers some again."""

    seed: int
    rows: dict[uuid.UUID, LogRow] = field(default_factory=dict)
    """As they were last sent."""
    sent: int = 0

    async def write(self, database) -> None:
        """Write two batches of new logs, and corrections of up to forty."""
        chance = random.Random(self.seed * 1_000 + self.sent)
        for _ in range(2):
            new = [self._make(chance) for _ in range(30)]
            await insert(database, new)
        again = chance.sample(list(self.rows.values()), min(60, len(self.rows)))
        await upsert(database, [*map(self._correct, again[:40]), *again[40:]])

    def _make(self, chance: random.Random) -> LogRow:
        log = make_log(model=chance.choice(("gpt-4o-mini", "gpt-4o", "nobody's")), environment="chaos")
        log.start_time.FromDatetime(TODAY - timedelta(minutes=chance.randrange(3 * 24 * 60)))
        return self._send(to_row(log, project_id="default", receive_time=TODAY, prices=BOOK))

    def _correct(self, row: LogRow) -> LogRow:
        moved = row.start_time - timedelta(days=1) if self.sent % 3 == 0 else row.start_time
        return self._send(row._replace(start_time=moved, input_token_count=self.sent))

    def _send(self, row: LogRow) -> LogRow:
        self.sent += 1
        self.rows[row.log_id] = row._replace(receive_time=TODAY + timedelta(seconds=self.sent))
        return self.rows[row.log_id]


async def keep_counting(database) -> None:
    """Merge, and count days again, until cancelled."""
    while True:
        await merge_all(database)
        for day in range(4):
            await count_again(database, TODAY - timedelta(days=day))


async def test_two_repricers_and_writers_at_once(database, database_url, sql, tmp_path):
    lists = {name: price_list(rate, unknown=model) for name, rate, model in
             (("first", 3, "gpt-4o"), ("second", 7, "gpt-4o-mini"))}  # fmt: skip
    books = {name: book_of(text) for name, text in lists.items()}
    repricers = Processes(tmp_path, {**os.environ, "DATABASE_URL": database_url})
    for name, text in lists.items():
        (tmp_path / f"{name}.toml").write_text(text)

    def start(name):
        repricers.start_program(
            name,
            [sys.executable, "-c", REPRICER],
            env={"LLM_OBSERVE_PRICE_FILE": str(tmp_path / f"{name}.toml")},
        )

    async def is_at_work(name):
        query = "SELECT count(*) FROM logs WHERE price_version = $1"
        return await sql.fetchval(query, books[name].versions[0])

    writers = [Writer(seed) for seed in range(2)]
    await asyncio.gather(*(writer.write(database) for writer in writers))
    counting = asyncio.create_task(keep_counting(database))
    start("first")
    try:
        for _ in range(ROUNDS):
            start("second")
            await eventually(lambda: is_at_work("first"))
            await eventually(lambda: is_at_work("second"))
            await asyncio.gather(*(writer.write(database) for writer in writers))
            repricers.kill("second")
        assert repricers.running["first"].poll() is None, repricers.log("first").read_text()
        assert not counting.done()
    finally:
        repricers.kill("first")
        counting.cancel()
        await asyncio.wait({counting})
    await assert_rollups_are_right(database)
    await repricing.reprice(database, books["first"], repricing.LogRange())
    await assert_all_priced(database, sql, writers, books["first"])


async def assert_all_priced(database, sql, writers, book) -> None:
    found = {row["log_id"]: row for row in await sql.fetch("SELECT * FROM logs")}
    expected = {log_id: row for writer in writers for log_id, row in writer.rows.items()}
    assert found.keys() == expected.keys()
    sent = ("start_time", "receive_time", "input_token_count")
    for log_id, row in found.items():
        assert [row[name] for name in sent] == [getattr(expected[log_id], name) for name in sent]
        rate = {"gpt-4o-mini": 3, "nobody's": 3, "gpt-4o": None}[row["model"]]
        cost = rate and (row["input_token_count"] + 2 * row["output_token_count"]) * rate * 1_000
        assert (row["cost_nano_usd"], row["price_version"]) == (cost, book.versions[0])
    await assert_rollups_are_right(database)

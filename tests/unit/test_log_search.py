"""A search of logs stays within its budget, whatever reading a row costs; by a clock that rows move on."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import pytest

from server.reads.log_search import MAX_SEARCH_S, SEARCH_BUDGET_S, search_logs

QUERY_S = 0.001
ROWS = 10_000_000


class Scan:
    """Reads rows of a table, none of which match; each takes its time."""

    def __init__(self, row_s: float) -> None:
        self.connection = self
        self.row_s = row_s
        self.now_s = 0.0
        self.slices: list[float] = []

    @asynccontextmanager
    async def transaction(self, *, read_only):
        assert read_only
        yield

    async def fetch(self, query):
        return []

    async def split(self, keys, row_count):
        self.now_s += QUERY_S
        left = keys - row_count
        return min(keys, row_count), left if left > 0 else None

    async def read(self, keys, row_limit):
        took = QUERY_S + keys * self.row_s
        self.now_s += took
        self.slices.append(took)
        return []


async def search(scan: Any, rows: Any, **options: Any) -> Any:
    """Search rows, which are told by their number, as a scan tells the time."""
    return await search_logs(scan, rows, 50, clock=lambda: scan.now_s, **options)


@pytest.mark.parametrize("budget_s", [SEARCH_BUDGET_S, 0.5, MAX_SEARCH_S])
@pytest.mark.parametrize("row_us", [0.5, 6, 25])
async def test_a_search_ends_soon_after_its_budget(row_us, budget_s):
    scan = Scan(row_us / 1e6)
    found = await search(scan, ROWS, budget_s=budget_s)
    assert found.unread is not None
    assert budget_s <= scan.now_s <= 1.35 * budget_s
    if budget_s == SEARCH_BUDGET_S:
        assert max(scan.slices) < 0.02
    assert (ROWS - found.unread) * row_us / 1e6 > 0.5 * budget_s  # most of it is spent on rows


async def test_a_slow_table_is_read_in_small_slices():
    scan = Scan(200 / 1e6)
    found = await search(scan, ROWS)
    assert found.unread == ROWS - 500  # one slice, or a search would never come to its end


async def test_a_small_table_is_read_to_its_end():
    scan = Scan(1e-6)
    assert (await search(scan, 5_000)).unread is None

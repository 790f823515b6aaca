"""A search of logs that is bounded in time: it reads slice after slice, and says what it has not read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.planning import plan_for_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.columns import LogRow
    from storage.log_searches import KeyRange, LogScan

SEARCH_BUDGET_S: Final = 0.03
"""After this long a search reads no further slice, in seconds: so its call is answered within 50 ms."""
MAX_SEARCH_S: Final = 2.0
"""Longest budget that a caller may choose, in seconds."""
_FIRST_SLICE_ROWS: Final = 500
_MIN_SLICE_ROWS: Final = 200
_MAX_SLICE_ROWS: Final = 32_000
"""Read in about 0.2 s, so that the longest search does not overrun its budget by much."""
_GROWTH: Final = 4
_SLICES: Final = 2
"""A slice takes up to this part of the budget."""


class Found(NamedTuple):
    """What a search has found."""

    rows: list[LogRow]
    """In the order of the scan."""
    unread: KeyRange | None
    """Where nothing was searched; None where all was, or where as many rows as wanted were found."""


async def search_logs(
    scan: LogScan,
    keys: KeyRange,
    row_limit: int,
    *,
    budget_s: float = SEARCH_BUDGET_S,
    first_slice_rows: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """Return the first logs of a range, or as many of them as are found in time.

    At least one slice is read, so that a search that continues where another stopped comes to an end.

    Args:
        scan: What is read.
        keys: The range.
        row_limit: How many logs are wanted.
        budget_s: After how many seconds no further slice is read.
        first_slice_rows: Rows of the first slice; 0 for few, as most searches end with it.
        clock: Tells the time, in seconds.
    """
    now = clock()
    stop = now + budget_s
    rows: list[LogRow] = []
    unread: KeyRange | None = keys
    slice_rows = first_slice_rows or _FIRST_SLICE_ROWS
    async with scan.connection.transaction(read_only=True):
        await plan_for_values(scan.connection)
        while unread is not None:
            part, unread = await scan.split(unread, slice_rows)
            rows += await scan.read(part, row_limit - len(rows))
            if len(rows) == row_limit:
                return Found(rows, None)
            began, now = now, clock()
            if now >= stop:
                break
            slice_rows = _next_slice(slice_rows, now - began, min(budget_s / _SLICES, stop - now))
    return Found(rows, unread)


def _next_slice(row_count: int, took_s: float, wanted_s: float) -> int:
    """Return how many rows to read in a time, where the last ones took so long."""
    fitting = int(row_count * wanted_s / took_s) if took_s else _MAX_SLICE_ROWS
    return min(max(_MIN_SLICE_ROWS, fitting), row_count * _GROWTH, _MAX_SLICE_ROWS)

"""A search of logs that is bounded in time: it reads slice after slice, and says what it has not read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.planning import plan_for_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.columns import LogRow
    from storage.log_searches import KeyRange, LogScan

SEARCH_BUDGET_S: Final = 2.0
"""After this long a search reads no further slice, in seconds."""
_FIRST_SLICE_ROWS: Final = 2_000
_MAX_SLICE_ROWS: Final = 32_000
"""Read in about 0.2 s, so that a search does not overrun its budget by much."""
_GROWTH: Final = 4


class Found(NamedTuple):
    """What a search has found."""

    rows: list[LogRow]
    """In the order of the scan."""
    unread: KeyRange | None
    """Where nothing was searched; None where all was, or where as many rows as wanted were found."""


async def search_logs(
    scan: LogScan, keys: KeyRange, row_limit: int, *, clock: Callable[[], float] = time.monotonic
) -> Found:
    """Return the first logs of a range, or as many of them as are found in time.

    At least one slice is read, so that a search that continues where another stopped comes to an end.
    """
    stop = clock() + SEARCH_BUDGET_S
    rows: list[LogRow] = []
    unread: KeyRange | None = keys
    slice_rows = _FIRST_SLICE_ROWS
    async with scan.connection.transaction(read_only=True):
        await plan_for_values(scan.connection)
        while unread is not None:
            part, unread = await scan.split(unread, slice_rows)
            rows += await scan.read(part, row_limit - len(rows))
            if len(rows) == row_limit:
                return Found(rows, None)
            if clock() >= stop:
                break
            slice_rows = min(slice_rows * _GROWTH, _MAX_SLICE_ROWS)
    return Found(rows, unread)

"""Error codes as a dimension: they are packed in rollups, and only failed calls have them.

Their metrics are counts. Unpacking takes a while where there are many: not on an event loop.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from analytics.packed_counts import OTHER, count_texts
from storage.columns import PACKED_COUNTS, ROLLUP_SUMS
from storage.rollups import Cell, GroupCount

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analytics.aggregates import Breakdown, TimeSeries

ERROR_CODE: Final = "error_code"
"""The name of the dimension."""
_NO_SUMS: Final = {each.name: 0 for each in ROLLUP_SUMS}
_NO_COUNTS: Final = {each.name: b"" for each in PACKED_COUNTS}


def split_series(series: TimeSeries, max_series: int) -> TimeSeries:
    """Return a time series of one group as one of error codes, the largest one by one."""
    cells = [cell for each in series.cells for cell in _split(each)]
    totals: Counter[str] = Counter()
    for cell in cells:
        totals[cell.group_value] += cell.sums["error_count"]
    groups = [each.value for each in _ranked(totals)[:max_series]]
    named = set(groups)
    return replace(
        series,
        groups=groups,
        cells=[
            cell if cell.group_value in named else cell._replace(group_value="", remainder=True)
            for cell in cells
        ],
    )


def split_breakdown(breakdown: Breakdown, limit: int) -> Breakdown:
    """Return a breakdown of one group as one of error codes."""
    cells = [cell for each in breakdown.total for cell in _split(each)]
    return replace(breakdown, groups=cells[:limit], total=cells)


def count_error_codes(packed: bytes) -> list[GroupCount]:
    """Return the calls of each error code, most first."""
    counts = count_texts(packed)
    # A correction may have come after its code had lost its name.
    missing = [code for code, count in counts.items() if count < 0]
    for code in missing:
        counts[OTHER] = counts.get(OTHER, 0) + counts.pop(code)
    return _ranked(counts)


def _ranked(counts: dict[str, int]) -> list[GroupCount]:
    found: Iterable[GroupCount] = (GroupCount(code, count) for code, count in counts.items() if count)
    return sorted(found, key=lambda each: (-each.request_count, each.value))


def _split(cell: Cell) -> list[Cell]:
    return [
        Cell(
            cell.step_start,
            each.value,
            remainder=False,
            sums={**_NO_SUMS, "request_count": each.request_count, "error_count": each.request_count},
            packed=_NO_COUNTS,
        )
        for each in count_error_codes(cell.packed["error_codes"])
    ]

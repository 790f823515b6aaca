"""The shortest bytes of packed counts that were joined."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from analytics.extensions import count_buckets
from analytics.packed_counts import MAX_TEXTS, merge_texts, pack_buckets
from storage.columns import PACKED_COUNTS, ROLLUP_SUMS

if TYPE_CHECKING:
    from storage.rollups import Cell


def shorten(
    latencies: bytes, ttfts: bytes, errors: bytes, *, max_texts: int = MAX_TEXTS
) -> tuple[bytes, bytes, bytes]:
    """Return the shortest bytes with the same counts, in the order of PACKED_COUNTS. Not on an event loop."""
    return (
        pack_buckets(count_buckets(latencies)),
        pack_buckets(count_buckets(ttfts)),
        merge_texts(errors, max_texts),
    )


def shorten_cells(cells: list[Cell]) -> list[Cell]:
    """Return cells that say the same and hold on to nothing long. Not on an event loop."""
    return [_shorten_cell(cell) for cell in cells]


def _shorten_cell(cell: Cell) -> Cell:
    names = [each.name for each in PACKED_COUNTS]
    # A cell may have the error codes of many rollups.
    packed = shorten(*(cell.packed[name] for name in names), max_texts=sys.maxsize)
    return cell._replace(
        sums={each.name: cell.sums[each.name] for each in ROLLUP_SUMS},
        packed=dict(zip(names, packed, strict=True)),
    )

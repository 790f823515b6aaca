"""Are the rollups right?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from analytics.packed_counts import same_buckets, same_texts
from storage import rollup_checks

if TYPE_CHECKING:
    from storage.pool import Database
    from storage.rollup_checks import RollupDifference

_AGREE: Final = {"latency_sketch": same_buckets, "ttft_sketch": same_buckets, "error_codes": same_texts}


async def verify_rollups(database: Database) -> list[RollupDifference]:
    """Recompute every tier from the raw rows, each day in one snapshot, and return what differs."""
    return await rollup_checks.verify_rollups(database, _AGREE)

"""Chooses the compiled packing of buckets and digests where it was built, or else its twin in Python.

LLM_OBSERVE_NO_EXTENSIONS=1 chooses the twin (docs/decisions/0010-compiled.md).
"""

from __future__ import annotations

import os

try:
    if os.environ.get("LLM_OBSERVE_NO_EXTENSIONS"):
        raise ImportError("switched off")  # noqa: TRY301 - one way to the twin
    from analytics._log_digests import add_up, pack_group, rank, read_groups
    from analytics._log_grouper import LogGrouper
    from analytics._packed_counts import count_buckets, find_quantiles, pack_buckets
except ImportError:
    from analytics.log_digests import add_up, pack_group, rank, read_groups
    from analytics.log_grouper import LogGrouper  # type: ignore[assignment] # a class with the same methods
    from analytics.packed_counts import count_buckets, find_quantiles, pack_buckets

__all__ = [
    "LogGrouper", "add_up", "count_buckets", "find_quantiles", "pack_buckets", "pack_group", "rank",
    "read_groups",
]  # fmt: skip

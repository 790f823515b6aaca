"""DDSketch: counts in logarithmic buckets, from which any percentile comes with relative error <= 1 %.

Source: Masson, Rim, Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error
Guarantees", VLDB 2019. Bucket i holds durations in (gamma^(i-1), gamma^i] microseconds, with
gamma = (1 + a) / (1 - a) and a = 0.01; its estimate, 2 gamma^i / (gamma + 1), is within a of every member.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

RELATIVE_ERROR: Final = 0.01
_GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
LOG_GAMMA: Final = math.log(_GAMMA)
"""The width of a bucket on the logarithmic scale."""


def bucket_of(microseconds: int) -> int:
    """Return the bucket of a duration; everything up to 1 microsecond is bucket 0."""
    return math.ceil(math.log(microseconds) / LOG_GAMMA) if microseconds > 1 else 0


@cache
def estimate(bucket: int) -> float:
    """Return the duration, in microseconds, that stands for a bucket."""
    return 2 * _GAMMA**bucket / (_GAMMA + 1)

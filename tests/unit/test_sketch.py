"""The sketch is within 1 % of the exact quantile for any distribution."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from analytics.sketch import bucket_of, estimate, quantiles

DURATIONS = st.lists(st.integers(1, 315_576_000_000_000_000), min_size=1, max_size=200)


@given(st.integers(1, 315_576_000_000_000_000))
def test_every_bucket_is_within_one_percent_of_its_members(microseconds):
    bucket = bucket_of(microseconds)
    assert 0 <= bucket < 2**15
    assert math.isclose(estimate(bucket), microseconds, rel_tol=0.0101)


@given(DURATIONS)
def test_quantiles_are_within_one_percent(durations):
    counts = sorted(Counter(map(bucket_of, durations)).items())
    fractions = (0.0, 0.5, 0.9, 0.99, 1.0)
    exact = [sorted(durations)[math.floor(q * (len(durations) - 1))] for q in fractions]
    for found, expected in zip(quantiles(counts, fractions), exact, strict=True):
        assert math.isclose(found, expected, rel_tol=0.0101)


def test_empty_counts_have_no_quantiles():
    assert quantiles([], (0.5,)) == []
    assert quantiles([(3, 1), (3, -1)], (0.5,)) == []


def test_zero_and_one_share_the_first_bucket():
    assert bucket_of(0) == bucket_of(1) == 0

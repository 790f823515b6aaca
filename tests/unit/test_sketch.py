"""The sketch is within 1 % of the exact quantile for any distribution."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import _packed_counts, packed_counts
from analytics.packed_counts import pack_buckets
from analytics.sketch import bucket_of, estimate

on_both = pytest.mark.parametrize("twin", [_packed_counts, packed_counts], ids=["compiled", "python"])
DURATIONS = st.lists(st.integers(1, 315_576_000_000_000_000), min_size=1, max_size=200)


@given(st.integers(1, 315_576_000_000_000_000))
def test_every_bucket_is_within_one_percent_of_its_members(microseconds):
    bucket = bucket_of(microseconds)
    assert 0 <= bucket < 2**15
    assert math.isclose(estimate(bucket), microseconds, rel_tol=0.0101)


@on_both
@given(DURATIONS)
def test_quantiles_are_within_one_percent(twin, durations):
    packed = pack_buckets(Counter(map(bucket_of, durations)).items())
    fractions = (0.0, 0.5, 0.9, 0.99, 1.0)
    exact = [sorted(durations)[math.floor(q * (len(durations) - 1))] for q in fractions]
    for found, expected in zip(twin.find_quantiles(packed, fractions), exact, strict=True):
        assert math.isclose(estimate(found), expected, rel_tol=0.0101)


@on_both
def test_empty_counts_have_no_quantiles(twin):
    assert twin.find_quantiles(b"", (0.5,)) == []
    assert twin.find_quantiles(pack_buckets([(3, 1), (3, -1)]), (0.5,)) == []


def test_zero_and_one_share_the_first_bucket():
    assert bucket_of(0) == bucket_of(1) == 0

"""Packed counts add up by being joined, and say what was put into them; both readers agree."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import _packed_counts, packed_counts
from analytics.error_codes import count_error_codes
from analytics.packed_counts import OTHER, count_texts, merge_texts, pack_buckets, pack_texts, same_texts

COUNTS = st.integers(-(2**62), 2**62)
BUCKETS = st.lists(st.tuples(st.integers(0, 2**16 - 1), COUNTS), max_size=30)
TEXTS = st.lists(
    st.tuples(st.sampled_from(["", "a", "rate_limit", "ж" * 100, OTHER]), st.integers(-5, 5)), max_size=30
)
on_both = pytest.mark.parametrize("twin", [_packed_counts, packed_counts], ids=["compiled", "python"])


@on_both
@given(first=BUCKETS, second=BUCKETS)
def test_joined_buckets_add_up(twin, first, second):
    expected: Counter[int] = Counter()
    for bucket, count in [*first, *second]:
        expected[bucket] += count
    wrapped = {bucket: (count + 2**63) % 2**64 - 2**63 for bucket, count in expected.items()}
    found = dict(twin.count_buckets(pack_buckets(first) + pack_buckets(second)))
    if wrapped == expected:  # sums that 64 bits hold
        assert found == {bucket: count for bucket, count in expected.items() if count}
        assert list(found) == sorted(found)


@given(BUCKETS)
def test_both_pack_the_same_bytes(counts):
    assert _packed_counts.pack_buckets(counts) == packed_counts.pack_buckets(counts)


@on_both
@pytest.mark.parametrize("bucket", [-1, 2**16])
def test_a_bucket_beyond_two_bytes_is_refused(twin, bucket):
    with pytest.raises(OverflowError):
        twin.pack_buckets([(bucket, 1)])


@on_both
@pytest.mark.parametrize(
    "data",
    [b"\x00", b"\x00\x01", b"\x00\x01\x80", b"\x00\x01" + b"\x80" * 11, pack_buckets([(7, 300)])[:-1]],
)
def test_bytes_that_nobody_packed_are_refused(twin, data):
    with pytest.raises(ValueError, match="end too early"):
        twin.count_buckets(data)


@given(first=TEXTS, second=TEXTS)
def test_joined_texts_add_up(first, second):
    expected: Counter[str] = Counter()
    for text, count in [*first, *second]:
        expected[text] += count
    assert count_texts(pack_texts(first) + pack_texts(second)) == expected


@given(calls=st.lists(st.sampled_from([f"code{n}" for n in range(9)]), max_size=60), room=st.integers(1, 9))
def test_texts_beyond_the_room_are_counted_as_other(calls, room):
    """However they are merged, and whatever is taken out again later."""
    everything = pack_texts([(text, 1) for text in calls])
    merged = b""
    for text in calls:
        merged = merge_texts(merged + pack_texts([(text, 1)]), room)
    counts = count_texts(merged)
    assert sum(counts.values()) == len(calls)
    assert len(counts.keys() - {OTHER}) <= room
    assert same_texts(everything, merged)
    for text in calls:
        merged = merge_texts(merged + pack_texts([(text, -1)]), room)
    assert not any(count_texts(merged).values())


@given(named=st.integers(1, 5), late=st.integers(0, 4), corrected=st.integers(0, 3))
def test_what_a_full_rollup_is_given_later_is_other_too(named, late, corrected):
    """Before it is merged, it stands there by its name, also when it is taken out."""
    codes = [f"code{number}" for number in range(named + 4)]
    full = merge_texts(pack_texts([(code, 5) for code in codes]), named)
    added = pack_texts([*((code, 1) for code in codes[named : named + late]), (codes[-1], -corrected)])
    assert same_texts(pack_texts([(code, 5) for code in codes]) + added, full + added, named)
    found = count_error_codes(full + added)
    assert all(each.request_count > 0 for each in found)
    assert sum(each.request_count for each in found) == 5 * len(codes) + late - corrected


def test_a_difference_is_seen():
    expected = pack_texts([("a", 2), ("b", 1)])
    for wrong in ([("a", 3)], [("a", 2)], [("a", 2), ("c", 1)], [("a", 1), (OTHER, 1)], [("a", 1), ("b", 2)]):
        assert not same_texts(expected, pack_texts(wrong))
    assert same_texts(expected, pack_texts([("a", 2), (OTHER, 1)]))

"""Digests say what was put into them, alone and merged; both twins agree."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import _log_digests, _log_grouper, log_digests, log_grouper
from analytics.digest_making import merge_digests, pack_digest
from analytics.digest_plans import MAX_ENTRIES, list_pieces, make_plan
from analytics.log_digests import RankedGroup
from analytics.packed_counts import count_buckets, pack_buckets
from analytics.windows import Window
from storage.columns import ROLLUP_SUMS
from storage.log_breakdowns import Range
from storage.log_digests import TIERS, Digest, FoundDigest, GroupNumbers

MAX_SUM = 2**63 - 1
on_both = pytest.mark.parametrize("twin", [_log_digests, log_digests], ids=["compiled", "python"])
NAMES = st.sampled_from(["", "a", "ab", "abc", "b", "ж", "жы", "user-1", "user-10", "user-2", "x" * 300])
SUMS = st.lists(st.sampled_from([0, 0, 1, 127, 128, MAX_SUM]), min_size=18, max_size=18)
SKETCH = st.lists(st.tuples(st.integers(0, 900), st.integers(1, 300)), max_size=4)
GROUP = st.tuples(st.integers(1, 3), SUMS, SKETCH, SKETCH)
DIGEST = st.dictionaries(NAMES, GROUP, max_size=8)
HOUR = timedelta(hours=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def numbers_of(digest) -> list[GroupNumbers]:
    return [
        GroupNumbers(name, (count, *sums), (pack_buckets(first), pack_buckets(second)))
        for name, (count, sums, first, second) in digest.items()
    ]


def groups_of(digest) -> bytes:
    """Return the groups of a digest that was packed."""
    groups: bytes | None = pack_digest(numbers_of(digest)).groups
    assert groups is not None
    return groups


def said_by(twin, digest) -> dict[str, tuple[Any, ...]]:
    """Return what a packed digest says of each group."""
    found, at = {}, 0
    for name, count, size in twin.read_groups(digest.groups):
        sums, *sketches = twin.add_up([digest.details[at : at + size]], len(ROLLUP_SUMS))
        assert sums[0] == count
        found[name.decode()] = (sums, *map(count_buckets, sketches))
        at += size
    assert at == len(digest.details)
    return found


def added(digests) -> dict[str, tuple[Any, ...]]:
    """Return the sums of what goes into digests."""
    sums: dict[str, list[int]] = {}
    sketches: dict[str, tuple[bytes, ...]] = {}
    for digest in digests:
        for each in numbers_of(digest):
            before = sums.setdefault(each.name, [0] * len(each.sums))
            sums[each.name] = [min(MAX_SUM, a + b) for a, b in zip(before, each.sums, strict=True)]
            joined = sketches.setdefault(each.name, (b"", b""))
            sketches[each.name] = tuple(a + b for a, b in zip(joined, each.sketches, strict=True))
    return {name: (sums[name], *map(count_buckets, sketches[name])) for name in sums}


@on_both
@given(digest=DIGEST)
def test_a_digest_says_what_was_packed(twin, digest):
    packed = pack_digest(numbers_of(digest))
    assert packed.group_count == len(digest)
    assert said_by(twin, packed) == added([digest])
    entries = twin.read_groups(packed.groups)
    assert entries == sorted(entries, key=lambda each: (-each.request_count, each.name))


@on_both
@given(digests=st.lists(DIGEST, max_size=4))
def test_merged_digests_add_up(twin, digests):
    packed = [pack_digest(numbers_of(each)) for each in digests]
    assert said_by(twin, merge_digests(packed, 100)) == added(digests)


LOG = st.tuples(
    st.sampled_from(["", "u1", "u2", "ж"]), st.sampled_from(["s1", "s2"]), st.sampled_from(["", "1.0"]),
    st.sampled_from([None, '["red"]', '["red", "green", "red"]']), st.sampled_from([None, 0, 7, 900]),
    st.sampled_from([None, 0, 300]), SUMS,
)  # fmt: skip


@pytest.mark.parametrize("twin", [_log_grouper, log_grouper], ids=["compiled", "python"])
@given(logs=st.lists(LOG, max_size=30))
def test_grouped_logs_are_what_they_add_up_to(twin, logs):
    grouper = twin.LogGrouper(len(ROLLUP_SUMS))
    for part in (logs[:10], logs[10:]):
        grouper.add([(*each[:6], 1, *each[6]) for each in part])
    for place in range(4):
        named = [
            (name, each)
            for each in logs
            for name in (set(json.loads(each[3] or '[""]')) if place == 3 else (each[place],))
        ]
        expected = added(
            {name: (1, each[6], *([(bucket, 1)] if bucket is not None else [] for bucket in each[4:6]))}
            for name, each in named
        )
        digest = Digest(*grouper.pack(place))
        assert digest.group_count == len(expected)
        assert said_by(log_digests, digest) == expected
        assert digest.groups is not None
        entries = log_digests.read_groups(digest.groups)
        assert entries == sorted(entries, key=lambda each: (-each.request_count, each.name))


@given(logs=st.lists(LOG, max_size=30))
def test_both_group_logs_into_the_same_bytes(logs):
    found = [twin.LogGrouper(len(ROLLUP_SUMS)) for twin in (_log_grouper, log_grouper)]
    for grouper in found:
        grouper.add([(*each[:6], 1, *each[6]) for each in logs])
    for place in range(4):
        assert found[0].pack(place) == found[1].pack(place)


@pytest.mark.parametrize("twin", [_log_grouper, log_grouper], ids=["compiled", "python"])
def test_dimensions_with_too_many_groups_are_dropped(twin):
    grouper = twin.LogGrouper(1)
    for number in range(5):
        grouper.add([(f"user-{number}", "s", "", None, None, 3, 1)])
        grouper.drop_large(3)
    assert grouper.pack(0) is None
    assert [grouper.pack(place)[0] for place in (1, 2, 3)] == [1, 1, 1]


def test_too_many_groups_make_no_digest():
    packed = [pack_digest(numbers_of({name: (1, [0] * 18, [], [])})) for name in "abc"]
    assert merge_digests(packed, 2).groups is None
    assert merge_digests([packed[0], pack_digest(None)], 2).groups is None
    assert merge_digests(packed, 3).group_count == 3


@given(name=st.text(max_size=5), before=st.text(max_size=5), sums=SUMS, first=SKETCH, second=SKETCH)
def test_both_pack_the_same_bytes(name, before, sums, first, second):
    given_ = (before.encode(), name.encode(), sums, pack_buckets(first), pack_buckets(second))
    assert _log_digests.pack_group(*given_) == log_digests.pack_group(*given_)


@on_both
@given(
    digests=st.lists(DIGEST, max_size=4),
    logs=st.dictionaries(NAMES, st.integers(1, 5)),
    limit=st.integers(0, 9),
)
def test_groups_are_ranked_over_digests_and_logs(twin, digests, logs, limit):
    packed = [pack_digest(numbers_of(each)) for each in digests]
    totals = Counter(logs)
    for each in digests:
        totals.update({name: group[0] for name, group in each.items()})
    expected = sorted(totals.items(), key=lambda item: (-item[1], item[0].encode()))[:limit]
    found = twin.rank([each.groups for each in packed], list(logs), list(logs.values()), limit)
    assert [(each.name, each.request_count) for each in found] == expected
    for each in found:
        records = [packed[digest].details[at : at + size] for digest, at, size in each.places]
        from_logs = logs.get(each.name, 0)
        assert twin.add_up(records, len(ROLLUP_SUMS))[0][0] == each.request_count - from_logs


@pytest.mark.parametrize("most", [2, 37, 10**9], ids=["flat", "steps", "steep"])
def test_both_rank_many_groups_alike(most):
    """Where counts are steep, what follows the first thousand is read only of those that may be ranked."""
    digests = [
        groups_of(
            {f"user-{n * step % 4001}": (most // (n + 1) ** 2 + 1, [0] * 18, [], []) for n in range(4000)}
        )
        for step in (1, 7, 11)
    ]
    names, counts = [f"user-{n}" for n in range(5000)], [1] * 5000
    for limit in (1, 50, 500, 6000):
        assert _log_digests.rank(digests, names, counts, limit) == log_digests.rank(
            digests, names, counts, limit
        )


@on_both
def test_names_may_come_twice_among_logs(twin):
    assert twin.rank([], ["b", "a", "b"], [1, 1, 1], 5) == [RankedGroup("b", 2, []), RankedGroup("a", 1, [])]


@on_both
@given(digest=DIGEST.filter(bool), cut=st.integers(1, 400))
def test_bytes_that_nobody_packed_are_refused(twin, digest, cut):
    groups = groups_of(digest)
    whole = {groups[: len(groups) - cut]} - {b""}
    for broken in whole:
        try:
            found = twin.read_groups(broken)
        except ValueError as error:
            assert "too early" in str(error)
            with pytest.raises(ValueError, match="too early"):
                twin.rank([broken], [], [], 5)
        else:  # it was cut between two groups
            assert len(found) < len(digest)


@on_both
@pytest.mark.parametrize("record", [b"", b"\x80", b"\x01", b"\x00\x05", b"\x80" * 11, b"\x01\x80"])
def test_records_that_nobody_packed_are_refused(twin, record):
    with pytest.raises(ValueError, match="too early"):
        twin.add_up([record], 20)


@on_both
def test_a_record_with_more_sums_is_refused(twin):
    _, record = twin.pack_group(b"", b"a", [1] * 20, b"", b"")
    with pytest.raises(ValueError, match="other sums"):
        twin.add_up([record], 19)


@given(
    found=st.sets(st.tuples(st.integers(0, 400), st.sampled_from(TIERS)), max_size=40),
    first=st.integers(0, 24_000), minutes=st.integers(0, 24_000),
)  # fmt: skip
def test_a_plan_covers_a_window_once(found, first, minutes):
    window = Window(START + timedelta(minutes=first), START + timedelta(minutes=first + minutes))
    digests = sorted(FoundDigest(START + HOUR * hour, tier, 1) for hour, tier in found)
    plan = make_plan(window, digests)
    parts = sorted([*(Range(each.start, each.end) for each in plan.digests), *plan.ranges])
    assert all(part.start < part.end for part in parts)
    assert [part.start for part in parts] == [window.start, *(part.end for part in parts[:-1])][: len(parts)]
    assert (parts[-1].end if parts else window.start) == window.end
    whole = {each.start for each in digests if each.start >= window.start and each.end <= window.end}
    assert bool(plan.digests) == bool(whole)


def test_a_plan_takes_the_longest_digests_and_no_more_than_there_is_memory_for():
    hours = [FoundDigest(START + HOUR * hour, 60, 10) for hour in range(24)]
    day = FoundDigest(START, 1440, 20)
    window = Window(START, START + 24 * HOUR)
    assert make_plan(window, sorted([*hours, day])).digests == [day]
    assert make_plan(Window(START + HOUR, window.end), sorted([*hours, day])).digests == hours[1:]
    large = [each._replace(group_count=MAX_ENTRIES // 2) for each in hours]
    plan = make_plan(window, large)
    assert plan.digests == large[:2]
    assert plan.ranges == [Range(START + 2 * HOUR, window.end)]


def test_pieces_that_lie_close_are_read_at_once():
    digests = [FoundDigest(START, 60, 9), FoundDigest(START + HOUR, 60, 9)]
    ranked = [
        RankedGroup("a", 9, [(0, 0, 10), (1, 50_000, 5)]),
        RankedGroup("b", 8, [(0, 3000, 7), (1, 0, 5)]),
        RankedGroup("c", 7, []),
    ]
    pieces, places = list_pieces(digests, ranked)
    assert pieces == [(digests[0], 0, 3007), (digests[1], 0, 5), (digests[1], 50_000, 5)]
    assert places == [[(0, 0, 10), (2, 0, 5)], [(0, 3000, 7), (1, 0, 5)], []]

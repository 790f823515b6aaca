"""The life of an alert: pending, firing, resolved, whatever clocks and evaluators do."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.alerts.states import MAX_GAP, Life, Policy, advance

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def make_policy(*, for_min: int = 0, keep_min: int = 5, repeat_min: int = 240) -> Policy:
    return Policy(
        for_duration=for_min * MINUTE, keep_duration=keep_min * MINUTE, repeat_interval=repeat_min * MINUTE
    )


def play(policy: Policy, course: list[tuple[float, bool]]) -> tuple[Life | None, list[tuple[float, str]]]:
    """Return the last life and the notices by minute of evaluations at minutes after the start."""
    life: Life | None = None
    notices: list[tuple[float, str]] = []
    for minute, breached in course:
        life, notice = advance(life, policy, START + minute * MINUTE, breached=breached)
        if notice:
            notices.append((minute, notice))
        if life is not None and life.state == "resolved":
            life = None
    return life, notices


def each_minute(pattern: str, start: int = 0) -> list[tuple[float, bool]]:
    """Return evaluations, one a minute: `x` is a breach."""
    return [(start + minute, mark == "x") for minute, mark in enumerate(pattern)]


COURSES: dict[str, tuple[Policy, list[tuple[float, bool]], list[tuple[float, str]]]] = {
    "nothing": (make_policy(), each_minute("......"), []),
    "fires at once": (make_policy(), each_minute("xx"), [(0, "firing")]),
    "fires after its time": (make_policy(for_min=3), each_minute("xxxxx"), [(3, "firing")]),
    "is not long enough": (make_policy(for_min=3), each_minute("xxx.xxx."), []),
    "is resolved after its time": (make_policy(), each_minute("x......"), [(0, "firing"), (6, "resolved")]),
    "comes back before it is resolved": (make_policy(), each_minute("x....x....x"), [(0, "firing")]),
    "flaps": (make_policy(), each_minute("x." * 100), [(0, "firing")]),
    "flaps slowly": (make_policy(), each_minute("xx...." * 30), [(0, "firing")]),
    "flaps while pending": (make_policy(for_min=2), each_minute("xx." * 100), []),
    "fires again": (
        make_policy(keep_min=1),
        each_minute("x..x.."),
        [(0, "firing"), (2, "resolved"), (3, "firing"), (5, "resolved")],
    ),
    "repeats": (
        make_policy(repeat_min=10),
        each_minute("x" * 25),
        [(0, "firing"), (10, "firing"), (20, "firing")],
    ),
    "a gap while pending begins anew": (
        make_policy(for_min=10),
        [(0, True), (60, True), (65, True), (70, True)],
        [(70, "firing")],
    ),
    "a gap while clear begins anew": (
        make_policy(keep_min=10),
        [(0, True), (1, False), (61, False), (66, False), (71, False)],
        [(0, "firing"), (71, "resolved")],
    ),
    "a short gap does not": (make_policy(for_min=4), [(0, True), (5, True)], [(5, "firing")]),
    "a gap while firing keeps firing": (make_policy(), [(0, True), (60, True)], [(0, "firing")]),
    "the clock is set back while pending": (
        make_policy(for_min=3),
        [(0, True), (-60, True), (-59, True), (-57, True)],
        [(-57, "firing")],
    ),
    "the clock is set back while firing": (
        make_policy(keep_min=2, repeat_min=30),
        [(0, True), (-600, True), (-599, False), (-598, False), (-597, False)],
        [(0, "firing"), (-597, "resolved")],
    ),
    "the clock is set forward while pending": (
        make_policy(for_min=3),
        [(0, True), (600, True), (602, True), (603, True)],
        [(603, "firing")],
    ),
    "the clock steps back a little": (
        make_policy(for_min=3),
        [(0, True), (-1, True), (1, True), (2, True)],
        [(2, "firing")],
    ),
}


@pytest.mark.parametrize("name", COURSES)
def test_courses(name):
    policy, course, expected = COURSES[name]
    assert play(policy, course)[1] == expected


minutes = st.integers(0, 30)
policies = st.builds(
    lambda for_min, keep_min, repeat_min: make_policy(
        for_min=for_min, keep_min=keep_min, repeat_min=repeat_min
    ),
    minutes,
    st.integers(1, 30),
    st.integers(5, 300),
)


@given(policies, st.lists(st.tuples(st.floats(-120, 120), st.booleans()), max_size=200))
def test_with_any_clock_notices_alternate_and_times_are_in_order(policy, steps):
    life, now, open_ = None, START, False
    for minutes_later, breached in steps:
        now += minutes_later * MINUTE
        life, notice = advance(life, policy, now, breached=breached)
        if notice == "resolved":
            assert open_
            assert not breached
        if notice == "firing":
            assert breached
        open_ = (open_ or notice == "firing") and notice != "resolved"
        assert open_ == (life is not None and life.state == "firing")
        if life is not None:
            assert life.state != "pending" or life.start_time <= now
            assert life.clear_time is None or life.clear_time <= now
            assert life.notice_time is None or life.notice_time <= now or not breached
        if life is not None and life.state == "resolved":
            life = None


@given(policies, st.lists(st.booleans(), min_size=1, max_size=300))
def test_with_a_good_clock_every_promise_about_time_is_kept(policy, breaches):
    _, notices = play(policy, [(float(minute), breached) for minute, breached in enumerate(breaches)])
    for at, notice in notices:
        lasting = (policy.for_duration if notice == "firing" else policy.keep_duration) // MINUTE
        recent = breaches[max(0, int(at) - lasting) : int(at) + 1]
        if notice == "resolved":
            assert not any(recent)
            assert len(recent) > lasting
    firings = [at for at, notice in notices if notice == "firing"]
    resolutions = [at for at, notice in notices if notice == "resolved"]
    for before, after in itertools.pairwise(firings):
        resolved_between = any(before < at < after for at in resolutions)
        shortest = policy.keep_duration if resolved_between else policy.repeat_interval
        assert (after - before) * MINUTE >= shortest  # no storm


def test_a_gap_is_longer_than_two_evaluations():
    assert MAX_GAP > 2 * MINUTE

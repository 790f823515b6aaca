"""Any window is covered by whole rollups of the tiers, each minute once, and none crosses a step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.aggregates import compared_windows
from analytics.windows import (
    DAY,
    EPOCH,
    HOUR,
    MINUTE,
    Window,
    ceil,
    counted_window,
    cover,
    default_step,
    floor,
)

NOW = datetime(2026, 11, 25, 13, 37, 12, 345678, tzinfo=UTC)
MINUTES_FROM = floor(NOW - 48 * HOUR, HOUR)
TIMES = st.integers(-90 * 1440 * 60, 24 * 3600).map(lambda seconds: NOW + timedelta(seconds=seconds))
WINDOWS = (
    st.tuples(TIMES, TIMES).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Window(*sorted(pair)))
)
STEPS = st.sampled_from([MINUTE, 5 * MINUTE, 90 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 7 * HOUR, DAY, 30 * DAY])


@given(wanted=WINDOWS)
def test_a_counted_window_holds_the_wanted_one(wanted):
    window = counted_window(wanted, MINUTES_FROM)
    assert window.start <= wanted.start < wanted.end <= window.end
    for border, unit in zip(window, (wanted.start - window.start, window.end - wanted.end), strict=True):
        assert floor(border, MINUTE if border >= MINUTES_FROM else HOUR) == border
        assert unit < (MINUTE if border > MINUTES_FROM else HOUR)


@given(wanted=WINDOWS, step=st.none() | STEPS)
def test_ranges_make_up_the_window_and_cross_no_step(wanted, step):
    window = counted_window(wanted, MINUTES_FROM)
    ranges = cover(window, step)
    assert [part.start for part in ranges] == [window.start, *(part.end for part in ranges[:-1])]
    assert ranges[-1].end == window.end
    for part in ranges:
        length = MINUTE * part.tier_minutes
        assert (part.start - EPOCH) % length == (part.end - EPOCH) % length == timedelta()
        assert step is None or step % length == timedelta()
        assert part.tier_minutes > 1 or part.start >= MINUTES_FROM or (step is not None and step % HOUR)
    assert len(ranges) <= 7


@given(wanted=WINDOWS)
def test_a_window_is_compared_with_one_of_equal_length(wanted):
    window = counted_window(wanted, MINUTES_FROM)
    finished, before = compared_windows(window, MINUTES_FROM, NOW)
    assert finished.end - finished.start == before.end - before.start
    assert window.start <= finished.start <= finished.end <= window.end
    assert before.end <= finished.start or finished.start == finished.end
    assert finished.end <= max(NOW, finished.start)
    for part in (finished, before):
        assert counted_window(part, MINUTES_FROM) == part or part.start == part.end


@given(wanted=WINDOWS)
def test_a_default_step_gives_a_readable_chart(wanted):
    window = counted_window(wanted, MINUTES_FROM)
    step = default_step(window, MINUTES_FROM)
    assert (window.end - window.start) / step <= 100
    assert window.start >= MINUTES_FROM or step % HOUR == timedelta()


@pytest.mark.parametrize(
    ("length", "step"),
    [
        (HOUR, MINUTE),
        (6 * HOUR, 5 * MINUTE),
        (DAY, HOUR),
        (7 * DAY, 6 * HOUR),
        (30 * DAY, DAY),
        (366 * DAY, 7 * DAY),
    ],
)
def test_default_steps(length, step):
    window = counted_window(Window(NOW - length, NOW), MINUTES_FROM)
    assert default_step(window, MINUTES_FROM) == step


def test_times_are_rounded_to_multiples_since_1970():
    assert floor(NOW, DAY) == datetime(2026, 11, 25, tzinfo=UTC)
    assert ceil(NOW, DAY) == datetime(2026, 11, 26, tzinfo=UTC)
    assert floor(ceil(NOW, HOUR), HOUR) == ceil(NOW, HOUR)

"""Silence is measured from the last sign of life, and only while we wait and run ourselves."""

from __future__ import annotations

import pytest

from server.chat.idle_timeout import IdleTimeout
from tests.support.timers import FakeTimers


@pytest.fixture
def timers():
    return FakeTimers()


@pytest.fixture
def fired():
    return []


@pytest.fixture
def idle(timers, fired):
    return IdleTimeout(10, lambda: fired.append(True), timers.call_later)


def test_silence_ends_the_wait_once_and_at_most_a_quarter_late(idle, timers, fired):
    timers.advance(10)
    assert not fired
    timers.advance(2.5)
    assert fired == [True]
    timers.advance(1000)
    assert fired == [True]


@pytest.mark.parametrize("at", [0.0, 0.1, 2.4, 2.5, 2.6, 9.9])
def test_the_whole_time_is_given_wherever_a_reset_falls_between_two_ticks(idle, timers, fired, at):
    timers.advance(at)
    idle.reset()
    timers.advance(10)
    assert not fired
    timers.advance(2.5)
    assert fired


def test_signs_of_life_keep_it_from_firing(idle, timers, fired):
    for _ in range(100):
        timers.advance(9.9)
        idle.reset()
    assert not fired


def test_a_pause_does_not_count_and_resuming_begins_anew(idle, timers, fired):
    timers.advance(9)
    idle.pause()
    timers.advance(1000)
    assert not fired
    idle.resume()
    timers.advance(10)
    assert not fired
    timers.advance(2.5)
    assert fired


def test_time_in_which_this_process_did_not_run_is_not_the_other_sides(idle, timers, fired):
    for _ in range(4):
        timers.jump(3600)
    assert not fired
    timers.jump(3600)
    assert fired


def test_stopping_leaves_no_timer_behind(idle, timers, fired):
    timers.advance(6)
    idle.stop()
    timers.advance(1000)
    assert (fired, timers.pending) == ([], 0)

"""The idle timeout counts from the last reset, while it is not paused and this process runs."""

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


def test_the_timeout_fires_once_and_at_most_a_quarter_late(idle, timers, fired):
    timers.advance(10)
    assert not fired
    timers.advance(2.5)
    assert fired == [True]
    timers.advance(1000)
    assert fired == [True]


@pytest.mark.parametrize("at", [0.0, 0.1, 2.4, 2.5, 2.6, 9.9])
def test_a_reset_at_any_time_restarts_the_full_timeout(idle, timers, fired, at):
    timers.advance(at)
    idle.reset()
    timers.advance(10)
    assert not fired
    timers.advance(2.5)
    assert fired


def test_regular_resets_prevent_firing(idle, timers, fired):
    for _ in range(100):
        timers.advance(9.9)
        idle.reset()
    assert not fired


def test_paused_time_does_not_count_and_resuming_restarts_the_timeout(idle, timers, fired):
    timers.advance(9)
    idle.pause()
    timers.advance(1000)
    assert not fired
    idle.resume()
    timers.advance(10)
    assert not fired
    timers.advance(2.5)
    assert fired


def test_a_suspended_process_does_not_fire_at_once(idle, timers, fired):
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

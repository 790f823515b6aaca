"""A clock that tests move by hand, in place of ``loop.call_later``."""

from __future__ import annotations

from collections.abc import Callable


class FakeTimer:
    """A scheduled callback."""

    def __init__(self, due_s: float, callback: Callable[[], None]) -> None:
        self.due_s = due_s
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeTimers:
    """Runs callbacks when its own clock is advanced, never by itself."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._timers: list[FakeTimer] = []

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(self._now_s + delay_s, callback)
        self._timers.append(timer)
        return timer

    @property
    def pending(self) -> int:
        return sum(not timer.cancelled for timer in self._timers)

    def advance(self, seconds: float) -> None:
        """Advance the clock and run the callbacks that become due, in order."""
        end_s = self._now_s + seconds
        while due := [timer for timer in self._timers if timer.due_s <= end_s and not timer.cancelled]:
            first = min(due, key=lambda timer: timer.due_s)
            self._timers.remove(first)
            self._now_s = first.due_s
            first.callback()
        self._now_s = end_s

    def jump(self, seconds: float) -> None:
        """Let time pass in which the event loop does not run, then run each callback that is overdue."""
        self._now_s += seconds
        for timer in [timer for timer in self._timers if timer.due_s <= self._now_s]:
            self._timers.remove(timer)
            if not timer.cancelled:
                timer.callback()

"""Windows of time and the tiers of rollups that cover them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from storage.rollups import TIERS, TierRange

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
_STEPS: Final = (
    *(MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(HOUR * n for n in (1, 2, 3, 6, 12)),
    *(DAY * n for n in (1, 2, 7, 14, 28)),
)
_LONGEST_BY_STEP: Final = ((HOUR, HOUR * 6), (HOUR * 6, DAY * 3), (DAY, DAY * 14))
"""A step is at least so long, where the window is longer than this."""
_MAX_DEFAULT_STEPS: Final = 90


class Window(NamedTuple):
    """A range of time, from start inclusive to end exclusive."""

    start: datetime
    end: datetime


def floor(time: datetime, step: timedelta) -> datetime:
    """Return the last multiple of a step since 1970, UTC, that is not after a time."""
    return time - (time - EPOCH) % step


def ceil(time: datetime, step: timedelta) -> datetime:
    """Return the first multiple of a step since 1970, UTC, that is not before a time."""
    return time + (EPOCH - time) % step


def counted_window(window: Window, minutes_from: datetime) -> Window:
    """Widen a window to what rollups can count: whole minutes, and whole hours before minutes_from."""
    start, end = floor(window.start, MINUTE), ceil(window.end, MINUTE)
    return Window(
        start if start >= minutes_from else floor(start, HOUR),
        end if end >= minutes_from else ceil(end, HOUR),
    )


def default_step(window: Window, minutes_from: datetime) -> timedelta:
    """Return a step that gives a readable chart and is cheap to read."""
    length = window.end - window.start
    shortest = MINUTE if window.start >= minutes_from else HOUR
    for step, longest in _LONGEST_BY_STEP:
        if length - HOUR > longest:  # which a widened window exceeds by less
            shortest = max(shortest, step)
    return next((s for s in _STEPS if s >= shortest and length <= s * _MAX_DEFAULT_STEPS), _STEPS[-1])


def cover(window: Window, step: timedelta | None = None) -> list[TierRange]:
    """Return the fewest ranges of tiers that make up a counted window, in order of time.

    No rollup of theirs crosses the border of a step.
    """
    lengths = [MINUTE * tier for tier in TIERS]
    return _cover(window, [length for length in lengths if step is None or step % length == timedelta()])


def _cover(window: Window, lengths: list[timedelta]) -> list[TierRange]:
    if window.start >= window.end:
        return []
    *shorter, longest = lengths
    start, end = ceil(window.start, longest), floor(window.end, longest)
    if start >= end:
        return _cover(window, shorter)
    return [
        *_cover(Window(window.start, start), shorter),
        TierRange(longest // MINUTE, start, end),
        *_cover(Window(end, window.end), shorter),
    ]

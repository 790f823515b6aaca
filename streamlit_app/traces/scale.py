"""The time scale of a waterfall. Long waits may be shortened: a session's calls are minutes apart."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from streamlit_app import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence

_WAIT_SHARE: Final = 0.02
"""Share of the busy time as which a shortened wait is drawn."""
_TICKS: Final = 4


class Scale:
    """Maps times, in seconds since 1970, to shares of the width, from 0 to 1."""

    def __init__(self, busy: Sequence[tuple[float, float]], *, shorten_waits: bool) -> None:
        """Make a scale for the ranges of time in which something ran, in order and apart."""
        busy = busy or [(0.0, 0.0)]
        self.start, self.end = busy[0][0], busy[-1][1]
        self.is_shortened = shorten_waits
        longest_wait = _WAIT_SHARE * sum(end - start for start, end in busy)
        self._times: list[float] = []
        self._places: list[float] = []
        place = 0.0
        for start, end in busy:
            if self._times:
                wait = start - self._times[-1]
                place += min(wait, longest_wait) if shorten_waits else wait
            self._times += [start, end]
            self._places += [place, place + end - start]
            place += end - start
        self._width = place or 1.0

    def place(self, time: float) -> float:
        """Return where a time is; what is outside the scale is at its edge."""
        if time <= self.start:
            return 0.0
        if time >= self.end:
            return self._places[-1] / self._width
        at = bisect_right(self._times, time) - 1
        length = self._times[at + 1] - self._times[at]
        share = (time - self._times[at]) / length if length else 0.0
        return (self._places[at] + share * (self._places[at + 1] - self._places[at])) / self._width

    def labels(self) -> list[str]:
        """Return what stands on the axis, evenly spaced; only both ends where waits are shortened."""
        total = self.end - self.start
        steps = 1 if self.is_shortened else _TICKS
        return [fmt.duration(total * step / steps) if step else "0" for step in range(steps + 1)]

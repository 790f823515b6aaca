"""The window of time that a page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1.filter_pb2 import TimeRange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Preset(NamedTuple):
    """A window that ends now. Its step divides it into 60 to 100 steps."""

    length: timedelta
    step: timedelta
    words: str


PRESETS: Final[Mapping[str, Preset]] = {
    "1h": Preset(timedelta(hours=1), timedelta(minutes=1), "last hour"),
    "6h": Preset(timedelta(hours=6), timedelta(minutes=5), "last 6 hours"),
    "24h": Preset(timedelta(hours=24), timedelta(minutes=15), "last 24 hours"),
    "7d": Preset(timedelta(days=7), timedelta(hours=2), "last 7 days"),
    "30d": Preset(timedelta(days=30), timedelta(hours=8), "last 30 days"),
}
DEFAULT_PRESET: Final = "24h"
_STEPS: Final = tuple(
    timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440, 10_080)
)
_MAX_STEPS: Final = 100
_MINUTES_KEPT: Final = timedelta(hours=47)
"""Older numbers are kept by the hour (an hour less than the server's default)."""
MAX_LENGTH: Final = timedelta(days=365)
"""The server counts no windows that are longer than a year and a day."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Bounds(NamedTuple):
    """A window as it is at one time: from ``start`` to ``end``, in steps of ``step``.

    ``end`` of a window that ends now is the end of the running step, so that a chart shows it whole.
    """

    start: datetime
    end: datetime
    step: timedelta

    def to_time_range(self, now: datetime) -> TimeRange:
        """Return what to ask the server for."""
        time_range = TimeRange()
        time_range.start_time.FromDatetime(self.start)
        time_range.end_time.FromDatetime(max(self.start, min(self.end, now)))
        return time_range


@dataclass(frozen=True, slots=True)
class Window:
    """The last so many finished steps and the running one, or from ``start`` to ``end``."""

    preset: str = DEFAULT_PRESET
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def between(cls, start: datetime, end: datetime) -> Window:
        """Return a window between two times, of whole minutes; the end of one that is too long."""
        start, end = (time.astimezone(UTC).replace(second=0, microsecond=0) for time in sorted((start, end)))
        return cls("", max(start, end - MAX_LENGTH), max(end, start + timedelta(minutes=1)))

    def bounds(self, now: datetime) -> Bounds:
        """Return where the window begins and ends."""
        if self.start is not None and self.end is not None:
            return Bounds(self.start, self.end, _choose_step(self.start, self.end, now))
        length, step, _ = PRESETS[self.preset]
        running = now - (now - _EPOCH) % step
        return Bounds(running - length, running + step, step)

    @classmethod
    def from_query(cls, query: Mapping[str, Sequence[str]]) -> Window:
        """Return the window of a URL; the default where it names none, or none that exists."""
        start, end = (_parse_time(query.get(key, ())) for key in ("from", "to"))
        if start and end and start < end:
            return cls.between(start, end)
        preset = next(iter(query.get("window", ())), DEFAULT_PRESET)
        return cls(preset) if preset in PRESETS else cls()

    def to_query(self) -> dict[str, list[str]]:
        """Return the parameters of a URL; nothing for the default."""
        if self.start is not None and self.end is not None:
            return {"from": [_write_time(self.start)], "to": [_write_time(self.end)]}
        return {} if self.preset == DEFAULT_PRESET else {"window": [self.preset]}


def shortest_step(start: datetime, now: datetime) -> timedelta:
    """Return the shortest step of a window that the server has."""
    return timedelta(minutes=1) if start > now - _MINUTES_KEPT else timedelta(hours=1)


def _choose_step(start: datetime, end: datetime, now: datetime) -> timedelta:
    steps = [step for step in _STEPS if step >= shortest_step(start, now)]
    return next((step for step in steps if (end - start) / step <= _MAX_STEPS), steps[-1])


def _parse_time(values: Sequence[str]) -> datetime | None:
    try:
        time = datetime.fromisoformat(values[0]) if values else None
    except ValueError:
        return None
    return time.astimezone(UTC) if time and time.tzinfo else time and time.replace(tzinfo=UTC)


def _write_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%MZ}"

"""When demo calls are made, and when a provider is slow: working days in UTC, quiet nights and weekends."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import random

DAYS: Final = 7
"""Days of a history."""
_HOUR_S: Final = 3600.0
_NIGHT: Final = 0.12
"""Traffic in the quietest hour, as a part of the busiest."""
_BUSIEST_HOUR: Final = 14.0
_WEEKEND: Final = 0.35
_SWITCH: Final = 3.3 / DAYS
"""How much of a history is of the new release."""
_SATURDAY: Final = 5
_BATCH_HOUR: Final = 2
"""When nightly jobs run."""


class SlowSpell(NamedTuple):
    """Hours in which a provider is slow and fails more often. Seconds since 1970."""

    provider: str
    start_s: float
    end_s: float
    slowness: float = 3.2
    failures: float = 9.0

    def covers(self, provider: str, time_s: float) -> bool:
        """Tell whether a call to a provider falls into it."""
        return provider == self.provider and self.start_s <= time_s < self.end_s

    def slowness_of(self, provider: str, time_s: float) -> float:
        """Return how many times as long as usual a call takes."""
        return self.slowness if self.covers(provider, time_s) else 1.0

    def failures_of(self, provider: str, time_s: float) -> float:
        """Return how many times as often as usual a call fails."""
        return self.failures if self.covers(provider, time_s) else 1.0


class Rhythm:
    """Draws times in the ``days`` before ``end``."""

    def __init__(self, end: datetime, days: int = DAYS) -> None:
        self.start_s = (end - timedelta(days=days)).timestamp()
        self.end_s = end.timestamp()
        hours = int((self.end_s - self.start_s) / _HOUR_S)
        self._hours = [self.start_s + hour * _HOUR_S for hour in range(hours)]
        self._weights = [_load(hour + _HOUR_S / 2) for hour in self._hours]
        self._nights = [hour for hour in self._hours if _clock(hour).hour == _BATCH_HOUR]
        self.slow_spell = SlowSpell("anthropic", *self._afternoon(days))
        self.switch_s = self.end_s - _SWITCH * (self.end_s - self.start_s)
        """When a new release takes another model, at another price."""

    def draw(self, chance: random.Random) -> float:
        """Return a time by the load of its hour, in seconds since 1970."""
        return chance.choices(self._hours, self._weights)[0] + chance.random() * _HOUR_S

    def draw_night(self, chance: random.Random) -> float:
        """Return a time at which nightly jobs run."""
        return chance.choice(self._nights) + chance.random() * _HOUR_S / 2

    def _afternoon(self, days: int) -> tuple[float, float]:
        """Return the afternoon of the last working day but one or two; hours of a shorter history."""
        if days < DAYS:
            middle = (self.start_s + self.end_s) / 2
            return middle, middle + 2.5 * _HOUR_S
        days_before = (_clock(self.end_s) - timedelta(days=ago) for ago in (2, 3, 4))
        day = next(day for day in days_before if day.weekday() < _SATURDAY)
        start = day.replace(hour=13, minute=20, second=0, microsecond=0).timestamp()
        return start, start + 2.5 * _HOUR_S


def _clock(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)


def _load(time_s: float) -> float:
    """Return how busy the application is, from 0 to 1."""
    time = _clock(time_s)
    phase = (time.hour + time.minute / 60 - _BUSIEST_HOUR) / 24 * math.tau
    day = _NIGHT + (1 - _NIGHT) * math.pow((1 + math.cos(phase)) / 2, 1.5)
    return day * (_WEEKEND if time.weekday() >= _SATURDAY else 1.0)

"""Rates as plain integers, and the cost of a call: exact, and rounded once.

A rate is in pico-dollars a token (10^-12 USD; 1 USD per million tokens is 1,000,000), a cost in nano-dollars.
Times are in microseconds since 2000-01-01 UTC, Postgres' epoch, as in packed rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

UNKNOWN: Final = -1
"""The rate of a kind of token that has no price."""
EARLIEST: Final = -(2**63)
LATEST: Final = 2**63 - 1
"""The widest range of times, and the largest cost that a bigint holds."""

DAY_S: Final = 86_400
_SECOND_US: Final = 1_000_000
_WEEKEND: Final = (0, 1)  # 2000-01-01 was a Saturday
_PICO_PER_NANO: Final = 1_000
_HALF: Final = 500


class Hours(NamedTuple):
    """A part of each UTC day, or of each day from Monday to Friday."""

    from_s: int
    until_s: int
    workdays_only: bool = False

    def cover(self, start_us: int) -> bool:
        """Tell whether a time is within these hours."""
        day, second = divmod(start_us // _SECOND_US, DAY_S)
        return self.from_s <= second < self.until_s and not (self.workdays_only and day % 7 in _WEEKEND)


class Rates(NamedTuple):
    """What a token of each kind costs, in pico-dollars."""

    input: int = UNKNOWN
    output: int = UNKNOWN
    cache_read: int = UNKNOWN
    cache_write: int = UNKNOWN
    cache_write_1h: int = UNKNOWN
    audio_input: int = UNKNOWN
    audio_output: int = UNKNOWN


class RateRow(NamedTuple):
    """What tokens cost in a range of time, in calls of more than so many input tokens."""

    from_us: int
    until_us: int
    """Exclusive."""
    above: int
    """The row is for calls whose whole input, cached tokens included, is larger; -1 is for all."""
    rates: Rates
    version: str
    """The price list that the row is from."""
    hours: Hours | None = None
    """The hours of the day it is for."""
    needs_audio_counts: bool = False
    """Absent counts of audio tokens are unknown, not 0: hearing or speaking is what the model is for."""

    @property
    def is_plain(self) -> bool:
        """Whether the integers say all, which compiled code can hold."""
        return self.hours is None and not self.needs_audio_counts

    @property
    def integers(self) -> tuple[int, ...]:
        """Times, border and rates: ten integers of 64 bits, in the order of the fields."""
        return (*self[:3], *self.rates)


@dataclass(frozen=True, slots=True)
class RateCard:
    """The rates of one model in one service tier. The first row that fits a call prices it."""

    rows: tuple[RateRow, ...]
    version: str
    """The price list asked last: the version of calls that no row fits."""
    plain_count: int
    """How many rows, from the first on, are plain. Compiled code leaves a call that fits none of them to
    price_of(), unless all rows are plain."""
    largest_count: int
    """Sums in pico-dollars of input and output counts up to this fit in 64 bits."""

    @classmethod
    def of(cls, rows: Sequence[RateRow], version: str) -> RateCard:
        """Return the card of rows in order of precedence."""
        highest = max((rate for row in rows for rate in row.rates), default=0)
        return cls(
            rows=tuple(rows),
            version=version,
            plain_count=sum(1 for _ in takewhile(attrgetter("is_plain"), rows)),
            largest_count=LATEST // (2 * max(highest, 1)),
        )


class Usage(NamedTuple):
    """The token counts of a call, as in its log; None is an absent count."""

    input: int | None = None
    """All input tokens."""
    output: int | None = None
    """All output tokens."""
    cache_read: int | None = None
    """Of the input."""
    cache_write: int | None = None
    """Of the input."""
    cache_write_1h: int | None = None
    """Of cache_write."""
    audio_input: int | None = None
    """Of the input."""
    audio_output: int | None = None
    """Of the output."""


USAGE_FIELDS: Final = tuple(f"{name}_token_count" for name in Usage._fields)
"""The fields of a log with its usage, in order."""
Price = tuple[int | None, str]
"""The cost in nano-dollars (None is unknown, which is never 0), and the version of the price list asked."""


def price_of(card: RateCard, start_us: int, usage: Usage, *, has_output: bool = True) -> Price:
    """Return what a call costs. Most calls have no cached tokens and no audio, and are priced right here.

    Args:
        card: The rates of its model in its service tier.
        start_us: When it began.
        usage: What it used.
        has_output: False for operations without output, whose absent count is 0.
    """
    total, output, read, write, hour, heard, spoken = usage
    if total is None:
        return None, card.version
    for row in card.rows:
        from_us, until_us, above, rates, version, hours, audio_counts = row
        if from_us <= start_us < until_us and total > above and (hours is None or hours.cover(start_us)):
            break
    else:
        return None, card.version
    if output is None and not has_output:
        output = 0
    input_rate, output_rate = rates[0], rates[1]
    if output is None or output < 0 or input_rate < 0 or (output and output_rate < 0):
        return None, version
    pico = total * input_rate + output * output_rate
    if read or write or hour or heard or spoken or audio_counts:
        extra = _extra_of(row, total, output, usage)
        if extra is None:
            return None, version
        pico += extra
    nano = _round(pico)
    return (nano if nano <= LATEST else None), version


def _extra_of(row: RateRow, total: int, output: int, usage: Usage) -> int | None:
    """Return what cached tokens and audio cost more (or less) than others, in pico-dollars."""
    _, _, read, write, hour, heard, spoken = usage
    if row.needs_audio_counts and (heard is None or spoken is None):
        return None
    read, write, hour, heard, spoken = read or 0, write or 0, hour or 0, heard or 0, spoken or 0
    if read < 0 or write < hour or hour < 0 or heard < 0 or spoken < 0:
        return None
    if read + write + heard > total or spoken > output:
        return None
    if heard and (read or write):
        return None  # how many of the cached tokens were audio is not counted
    plain, plain_output, read_rate, write_rate, hour_rate, heard_rate, spoken_rate = row.rates
    write -= hour
    if (
        (read and read_rate < 0)
        or (write and write_rate < 0)
        or (hour and hour_rate < 0)
        or (heard and heard_rate < 0)
        or (spoken and spoken_rate < 0)
    ):
        return None
    return (
        read * (read_rate - plain)
        + write * (write_rate - plain)
        + hour * (hour_rate - plain)
        + heard * (heard_rate - plain)
        + spoken * (spoken_rate - plain_output)
    )


def _round(pico: int) -> int:
    """Return nano-dollars, halves to the even."""
    nano, rest = divmod(pico, _PICO_PER_NANO)
    return nano + 1 if rest > _HALF or (rest == _HALF and nano & 1) else nano

"""Formats numbers and times for people. Pure functions.

Negative numbers have a hyphen: ``st.metric`` takes a typographic minus for a positive number.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import tzinfo

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

NOTHING: Final = "\u2013"
"""Stands for a number that is not known."""
_THOUSAND: Final = 1000
_UNITS: Final = ("", " k", " M", " G", " T")
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_NANO: Final = 1e9
_LARGEST_CHANGE: Final = 10.0
_CENT: Final = 0.01


def seconds(duration: Duration) -> float:
    """Return a Duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


def timestamp(value: Timestamp) -> datetime:
    """Return a Timestamp as a UTC datetime."""
    return value.ToDatetime(tzinfo=UTC)


# -- durations ---------------------------------------------------------------------------------------------


def duration(value_s: float | None) -> str:
    """Return seconds as ``840 ms``, ``1.24 s``, ``12.4 s``, ``2 min 05 s`` or ``3 h 20 min``."""
    if value_s is None:
        return NOTHING
    if round(value_s * 1000) < _THOUSAND:
        return f"{value_s * 1000:.0f} ms"
    if round(value_s, 1) < _MINUTE:
        return f"{value_s:.2f} s" if round(value_s, 2) < 10 else f"{value_s:.1f} s"  # noqa: PLR2004 - three digits
    if round(value_s) < _HOUR:
        minutes, rest = divmod(round(value_s), 60)
        return f"{minutes} min {rest:02} s"
    return _two_units(value_s)


def _two_units(value_s: float) -> str:
    minutes = round(value_s / 60)
    days, hours = divmod(minutes // 60, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60:02} min"


def ago(time: datetime, now: datetime) -> str:
    """Return how long ago something was: ``12 s ago``, ``5 min ago``, ``3 h ago``, ``2 d ago``."""
    passed = max(0, int((now - time).total_seconds()))
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if passed >= size:
            return f"{passed // size} {unit} ago"
    return f"{passed} s ago"


# -- counts and shares -------------------------------------------------------------------------------------


def compact(value: int | None) -> str:
    """Return a count for a card: ``950``, ``12.4 k``, ``3.1 M``."""
    if value is None:
        return NOTHING
    scaled, units = float(value), list(_UNITS)
    while abs(scaled) >= _THOUSAND and len(units) > 1:
        scaled /= _THOUSAND
        units.pop(0)
    whole = scaled == int(scaled) or len(units) == len(_UNITS)
    return f"{scaled:.0f}{units[0]}" if whole else f"{scaled:.1f}{units[0]}"


def exact(value: int | None) -> str:
    """Return a count with separators: ``12,417``."""
    return NOTHING if value is None else f"{value:,}"


def size(count_bytes: int) -> str:
    """Return a number of bytes: ``950 B``, ``12.4 KB``, ``3.1 MB``."""
    scaled, units = float(count_bytes), ["B", "KB", "MB", "GB", "TB"]
    while round(scaled, 1) >= _THOUSAND and len(units) > 1:
        scaled /= _THOUSAND
        units.pop(0)
    return f"{count_bytes} B" if units[0] == "B" else f"{scaled:.1f} {units[0]}"


PERCENT_COLUMN: Final = "%.1f %%"
"""Format of a table's column of percentages, which stay numbers so that they sort."""


def percent(share: float | None) -> str:
    """Return a share as ``98.7 %``; one that is not quite nothing or all never as 0 or 100 %."""
    if share is None:
        return NOTHING
    shown = f"{share * 100:.1f}"
    if shown == "0.0" and share > 0:
        return "< 0.1 %"
    return "> 99.9 %" if shown == "100.0" and share < 1 else f"{shown} %"


def change(current: float | None, previous: float | None) -> str | None:
    """Return the change against the previous window as ``+12.0 %``; None if it is unknown."""
    if current is None or not previous:
        return None
    share = (current - previous) / previous
    return f"{_signed(share * 100)} %" if abs(share) < _LARGEST_CHANGE else "> +1,000 %"


def points(current: float | None, previous: float | None) -> str | None:
    """Return the change of a share in percentage points: ``+0.4 pp``; None if it is unknown."""
    if current is None or previous is None:
        return None
    return f"{_signed((current - previous) * 100)} pp"


def _signed(value: float) -> str:
    """Return a change with one decimal; none has no sign."""
    shown = f"{value:+.1f}"
    return "0.0" if shown.lstrip("+-") == "0.0" else shown


# -- money -------------------------------------------------------------------------------------------------


def money(nano_usd: int | None) -> str:
    """Return 10^-9 US dollars as ``$1,234.56``, ``$0.0031`` or ``$0.0000031``."""
    if nano_usd is None:
        return NOTHING
    usd = nano_usd / _NANO
    if usd == 0 or abs(usd) >= 1:
        return f"${usd:,.2f}"
    if abs(usd) >= _CENT:
        return f"${usd:.3f}"
    return f"${usd:.10f}".rstrip("0") if abs(usd) < 1e-7 else f"${float(f'{usd:.1e}'):.10f}".rstrip("0")  # noqa: PLR2004 - two digits of it


def cost(nano_usd: int, priced: int, unpriced: int) -> str:
    """Return what calls cost: ``≥ $12.40`` where some have no known price, or ``no price known``."""
    if not priced:
        return "no price known" if unpriced else money(0)
    return f"≥ {money(nano_usd)}" if unpriced else money(nano_usd)


def unpriced_share(priced: int, unpriced: int) -> str:
    """Return ``8.0 % unpriced``; empty where every price is known."""
    return f"{percent(unpriced / (priced + unpriced))} unpriced" if unpriced else ""


# -- times, in the viewer's zone ---------------------------------------------------------------------------


def clock_time(time: datetime, zone: tzinfo) -> str:
    """Return a time of the day: ``16:21:04``."""
    return f"{time.astimezone(zone):%H:%M:%S}"


def date_time(time: datetime, zone: tzinfo) -> str:
    """Return a day and a time: ``25 Nov 16:21``."""
    return f"{time.astimezone(zone):%d %b %H:%M}"


def exact_time(time: datetime, zone: tzinfo) -> str:
    """Return a time as nobody can misread it: ``25 Nov 2026 16:21:04.123 CET``."""
    local = time.astimezone(zone)
    return f"{local:%d %b %Y %H:%M:%S}.{local.microsecond // 1000:03} {local.tzname()}"


def time_range(start: datetime, end: datetime, zone: tzinfo) -> str:
    """Return a range of time: ``24 Nov 16:15 \u2013 16:30``; the end has its day if it is another one."""
    last = end.astimezone(zone)
    same_day = start.astimezone(zone).date() == last.date()
    return (
        f"{date_time(start, zone)} \u2013 {last:%H:%M}"
        if same_day
        else f"{date_time(start, zone)} \u2013 {date_time(end, zone)}"
    )


def length(value: timedelta) -> str:
    """Return a step's length in words: ``15 minutes``, ``2 hours``, ``1 day``."""
    minutes = round(value.total_seconds() / 60)
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0:
            number = minutes // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{minutes} minutes"

"""Formats numbers for people. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

NOTHING: Final = "\u2013"
_THOUSAND: Final = 1000
_UNITS: Final = ("", " k", " M", " G", " T")
_MINUTE: Final = 60


def seconds(duration: Duration) -> float:
    """Return a Duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


def timestamp(value: Timestamp) -> datetime:
    """Return a Timestamp as a UTC datetime."""
    return value.ToDatetime(tzinfo=UTC)


def duration(value_s: float | None) -> str:
    """Return seconds as ``840 ms``, ``1.24 s`` or ``2 min 5 s``."""
    if value_s is None:
        return NOTHING
    if value_s < 1:
        return f"{value_s * 1000:.0f} ms"
    if value_s < _MINUTE:
        return f"{value_s:.2f} s"
    return f"{int(value_s // 60)} min {int(value_s % 60)} s"


def count(value: int | None) -> str:
    """Return a count as ``950``, ``12.4 k`` or ``3.1 M``."""
    if value is None:
        return NOTHING
    scaled, units = float(value), list(_UNITS)
    while abs(scaled) >= _THOUSAND and len(units) > 1:
        scaled /= _THOUSAND
        units.pop(0)
    whole = scaled == int(scaled) or len(units) == len(_UNITS)
    return f"{scaled:.0f}{units[0]}" if whole else f"{scaled:.1f}{units[0]}"


def percent(share: float | None) -> str:
    """Return a share as ``98.7 %``."""
    return NOTHING if share is None else f"{share * 100:.1f} %"


def money(nano_usd: int | None) -> str:
    """Return 10^-9 US dollars as ``$1.24`` or ``$0.00031``."""
    if nano_usd is None:
        return NOTHING
    usd = nano_usd / 1e9
    return f"${usd:,.2f}" if usd >= 1 or usd == 0 else f"${usd:.5f}"


def ago(time: datetime, now: datetime) -> str:
    """Return how long ago something was: ``12 s ago``, ``5 min ago``, ``3 h ago``, ``2 d ago``."""
    passed = max(0, int((now - time).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if passed >= size:
            return f"{passed // size} {unit} ago"
    return f"{passed} s ago"


def change(current: float | None, previous: float | None) -> str | None:
    """Return the change against the previous window as ``+12.0 %``; None if it is unknown."""
    if current is None or not previous:
        return None
    return f"{(current - previous) / previous * 100:+.1f} %"

"""Converts windows, timestamps and durations from and to protobuf."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from llm_observe.v1.filter_pb2 import TimeRange

from analytics.windows import Window
from server.rpc.errors import InvalidField

_DEFAULT_WINDOW: Final = timedelta(hours=24)
_MAX_WINDOW: Final = timedelta(days=366)
_SECOND: Final = timedelta(seconds=1)
_MAX_SECONDS: Final = 253_402_300_799
_NANOS: Final = 1_000_000_000


def parse_window(time_range: TimeRange, default: timedelta = _DEFAULT_WINDOW) -> Window:
    """Return the requested window; without a start, the last 24 hours or other default of it.

    Raises:
        InvalidField: It is empty, longer than 366 days, or outside the supported range.
    """
    end, start = datetime.now(UTC), None
    if time_range.HasField("end_time"):
        end = parse_timestamp("time_range.end_time", time_range.end_time)
    if time_range.HasField("start_time"):
        start = parse_timestamp("time_range.start_time", time_range.start_time)
    start = start or end - default
    if start >= end:
        raise InvalidField([("time_range.end_time", "must be after start_time")])
    if end - start > _MAX_WINDOW:
        raise InvalidField([("time_range", "must not be longer than 366 days")])
    return Window(start, end)


def parse_timestamp(field: str, timestamp: Timestamp) -> datetime:
    """Return a timestamp as a datetime in UTC, to the microsecond.

    Raises:
        InvalidField: It is outside the supported range, which covers the years 1972 to 9998.
    """
    # Two days of room, so that rounding to hours and the previous window stay inside datetime's range.
    if not 86_400 * 400 <= timestamp.seconds <= _MAX_SECONDS - 172_800 or not 0 <= timestamp.nanos < _NANOS:
        raise InvalidField([(field, "must be a timestamp from 1972 to 9998")])
    return datetime.fromtimestamp(timestamp.seconds, UTC) + timedelta(microseconds=timestamp.nanos // 1000)


def parse_length(field: str, duration: Duration) -> timedelta:
    """Return a duration as a timedelta, to the microsecond.

    Raises:
        InvalidField: It is negative, longer than 366 days, or no duration.
    """
    seconds, nanos = duration.seconds, duration.nanos
    if not 0 <= seconds <= _MAX_WINDOW // _SECOND or not 0 <= nanos < _NANOS:
        raise InvalidField([(field, "must be a duration from 0 to 366 days")])
    return timedelta(seconds=seconds, microseconds=nanos // 1000)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_timestamp(time: datetime) -> Timestamp:
    """Return a datetime as a Timestamp, to the microsecond."""
    microseconds = (time - _EPOCH) // _MICROSECOND
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def to_duration(microseconds: float) -> Duration:
    """Return microseconds as a Duration."""
    whole = round(microseconds)
    return Duration(seconds=whole // 1_000_000, nanos=whole % 1_000_000 * 1000)


def to_time_range(window: Window) -> TimeRange:
    """Return a window as a TimeRange."""
    return TimeRange(start_time=to_timestamp(window.start), end_time=to_timestamp(window.end))

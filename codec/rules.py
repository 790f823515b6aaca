"""The rules of a log. Checking one takes a few microseconds.

This is the reference implementation: codec/_scan.pyx checks the same rules on the bytes of a batch, and says
yes only to batches that keep them all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llm_observe import limits
from llm_observe.v1.log_pb2 import OUTCOME_UNSPECIFIED, Outcome, UsageSource

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp
    from llm_observe.v1.log_pb2 import Log

_OUTCOMES: Final = frozenset(Outcome.values()) - {OUTCOME_UNSPECIFIED}
_USAGE_SOURCES: Final = frozenset(UsageSource.values())
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")
REQUIRED_TEXTS: Final = tuple((name, limits.MAX_TEXT_CHARS[name]) for name in limits.REQUIRED_TEXTS)
OPTIONAL_TEXTS: Final = tuple(
    (name, most)
    for name, most in limits.MAX_TEXT_CHARS.items()
    if name not in {*limits.REQUIRED_TEXTS, *limits.REDACTED_TEXTS}
)
COUNTS: Final = (*limits.TOKEN_COUNTS, "reported_cost_nano_usd", "retry_count")
"""Numbers that must not be negative."""
SPAN_FIELDS: Final = (
    ("trace_id", 32, _TRACE_ID),
    ("span_id", 16, _SPAN_ID),
    ("parent_span_id", 16, _SPAN_ID),
)
MAX_AHEAD_S: Final = limits.MAX_AHEAD_S
MAX_LATENCY_S: Final = limits.MAX_LATENCY_S
_TIMES: Final = ("start_time", "first_token_time", "end_time")
MAX_TIMESTAMP_S: Final = 253_402_300_799
MAX_DURATION_S: Final = 315_576_000_000
NANOS: Final = 1_000_000_000
METADATA_PAIRS: Final = limits.MAX_METADATA_PAIRS
METADATA_KEY_CHARS: Final = limits.MAX_METADATA_KEY_CHARS
METADATA_VALUE_CHARS: Final = limits.MAX_METADATA_VALUE_CHARS
TAGS: Final = limits.MAX_TAGS
TAG_CHARS: Final = limits.MAX_TAG_CHARS


def find_violation(log: Log, now_s: float) -> str | None:
    """Return what is wrong with a log, naming the field and never the value; None when it is valid.

    Previews and error messages may be any length: they are redacted first and cut then.
    """
    return _texts(log) or _enums(log) or _times(log, now_s) or _numbers(log) or _extras(log)


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID in the form with four hyphens, in either case."""
    return _UUID.fullmatch(text) is not None


def is_trace_id(text: str) -> bool:
    """Tell whether a text is a W3C trace id."""
    return _TRACE_ID.fullmatch(text) is not None


def is_timestamp(timestamp: Timestamp) -> bool:
    """Tell whether a timestamp is valid and from 1970 on."""
    return _timestamp(timestamp) is not None


def _texts(log: Log) -> str | None:
    if not _UUID.fullmatch(log.log_id):
        return "log_id: must be a UUID"
    for field, limit in REQUIRED_TEXTS:
        if not 1 <= len(getattr(log, field)) <= limit:
            return f"{field}: 1 to {limit} characters"
    for field in limits.LOWER_CASE_TEXTS:
        if getattr(log, field) != getattr(log, field).lower():
            return f"{field}: must be lower case"
    for field, limit in OPTIONAL_TEXTS:
        if len(getattr(log, field)) > limit:
            return f"{field}: at most {limit} characters"
    for field, digits, pattern in SPAN_FIELDS:
        text = getattr(log, field)
        if text and not pattern.fullmatch(text):
            return f"{field}: must be {digits} lower-case hex digits"
    return None


def _enums(log: Log) -> str | None:
    if log.outcome not in _OUTCOMES:
        return "outcome: must be SUCCESS, ERROR or CANCELLED"
    if log.usage_source not in _USAGE_SOURCES:
        return "usage_source: must be REPORTED, ESTIMATED or MISSING"
    return None


def _times(log: Log, now_s: float) -> str | None:
    if not log.HasField("start_time"):
        return "start_time: is required"
    start = _timestamp(log.start_time)
    if start is None:
        return "start_time: must be a timestamp from 1970 on"
    for field in _TIMES:
        if getattr(log, field).seconds > now_s + MAX_AHEAD_S:
            return f"{field}: must not be more than 24 hours in the future"
    first_token, end = start, None
    if log.HasField("first_token_time"):
        arrived = _timestamp(log.first_token_time)
        if arrived is None or arrived < start:
            return "first_token_time: must not be before start_time"
        first_token = arrived
    if log.HasField("end_time"):
        end = _timestamp(log.end_time)
        if end is None or end < first_token:
            return "end_time: must not be before start_time or first_token_time"
    return _durations(log)


def _timestamp(timestamp: Timestamp) -> tuple[int, int] | None:
    valid = 0 <= timestamp.seconds <= MAX_TIMESTAMP_S and 0 <= timestamp.nanos < NANOS
    return (timestamp.seconds, timestamp.nanos) if valid else None


def _durations(log: Log) -> str | None:
    latency = None
    if log.HasField("latency"):
        latency = _duration(log.latency)
        if latency is None:
            return "latency: must be a duration, not negative, of at most 7 days"
    if log.HasField("time_to_first_token"):
        ttft = _duration(log.time_to_first_token)
        if ttft is None:
            return "time_to_first_token: must be a duration, not negative, of at most 7 days"
        if latency is not None and ttft > latency:
            return "time_to_first_token: must not be above latency"
    return None


def _duration(duration: Duration) -> tuple[int, int] | None:
    value = (duration.seconds, duration.nanos)
    return value if 0 <= duration.nanos < NANOS and (0, 0) <= value <= (MAX_LATENCY_S, 0) else None


def _numbers(log: Log) -> str | None:
    for field in COUNTS:
        if getattr(log, field) < 0:
            return f"{field}: must not be negative"
    if log.HasField("http_status") and log.http_status not in limits.HTTP_STATUSES:
        return "http_status: must be 100 to 599"
    return None


def _extras(log: Log) -> str | None:
    if log.metadata:
        if len(log.metadata) > METADATA_PAIRS:
            return f"metadata: at most {METADATA_PAIRS} pairs"
        for key, value in log.metadata.items():
            if not 1 <= len(key) <= METADATA_KEY_CHARS:
                return f"metadata: keys have 1 to {METADATA_KEY_CHARS} characters"
            if len(value) > METADATA_VALUE_CHARS:
                return f"metadata: values have at most {METADATA_VALUE_CHARS} characters"
    if log.tags:
        if len(log.tags) > TAGS:
            return f"tags: at most {TAGS}"
        if not all(1 <= len(tag) <= TAG_CHARS for tag in log.tags):
            return f"tags: 1 to {TAG_CHARS} characters each"
    return None

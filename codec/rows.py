"""Log messages to rows and back: the only place where the wire's types become Postgres' types.

A column with the name of a field is that field's value; the others are named in to_row() and to_log().
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from llm_observe.v1.log_pb2 import Log, Outcome, UsageSource

from analytics.pricing.rates import USAGE_FIELDS, Usage
from analytics.sketch import bucket_of
from codec.errors import InvalidLog
from codec.rules import is_uuid
from codec.words import words_of
from storage.columns import LOG_COLUMNS, LogRow
from storage.copy_format import EPOCH, MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

    from analytics.pricing.book import PriceBook
    from analytics.pricing.rates import Price

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MAX_BIGINT: Final = 2**63 - 1
OUTCOMES: Final = words_of(Outcome)
USAGE_SOURCES: Final = words_of(UsageSource)
SET_BY_SERVER: Final = ("receive_time", "cost_nano_usd", "price_version")
"""Fields that a producer may not set; what it sends in them is dropped."""
DURATIONS: Final = ("latency", "time_to_first_token")
"""Fields that are columns in microseconds: latency_us."""
REPORTED_BY: Final = ("input_token_count", "output_token_count", "total_token_count")
"""Where one of these is there and usage_source is not, the provider reported usage."""

_FIELDS: Final = {
    name: field for name, field in Log.DESCRIPTOR.fields_by_name.items() if name not in SET_BY_SERVER
}
_SAME: Final = [_FIELDS[column.name] for column in LOG_COLUMNS if column.name in _FIELDS]
TEXTS: Final = tuple(
    field.name for field in _SAME
    if field.type == field.TYPE_STRING and not field.is_repeated and field.name not in {"log_id", "operation"}
)  # fmt: skip
"""Fields that are columns as they are: texts, '' where unknown; likewise the next three."""
FLAGS: Final = tuple(field.name for field in _SAME if field.type == field.TYPE_BOOL)
NUMBERS: Final = tuple(field.name for field in _SAME if field.type in {field.TYPE_INT32, field.TYPE_INT64})
"""Numbers, NULL where unknown."""
TIMES: Final = tuple(
    field.name for field in _SAME if field.message_type is not None and field.message_type.name == "Timestamp"
)
"""Times, NULL where unknown."""


def to_row(log: Log, *, project_id: str, receive_time: datetime, prices: PriceBook) -> LogRow:
    """Return the row of a redacted log, with what it costs.

    Raises:
        InvalidLog: A value fits no column.
    """
    start_time = _datetime(log.start_time)
    outcome = _word("outcome", OUTCOMES, log.outcome)
    latency_us = _microseconds(log.latency) if log.HasField("latency") else None
    ttft_us = _microseconds(log.time_to_first_token) if log.HasField("time_to_first_token") else None
    succeeded = outcome == "success"
    cost, price_version = price_of_log(log, prices)
    values = {
        **_same_fields(log),
        "log_id": _uuid(log.log_id),
        "start_time": start_time,
        "receive_time": receive_time,
        "minute": start_time.replace(second=0, microsecond=0),
        "latency_us": latency_us,
        "time_to_first_token_us": ttft_us,
        "cost_nano_usd": cost,
        "latency_bucket": bucket_of(latency_us) if succeeded and latency_us is not None else None,
        "ttft_bucket": bucket_of(ttft_us) if succeeded and ttft_us is not None else None,
        "project_id": project_id,
        "operation": log.operation or "chat",
        "outcome": outcome,
        "usage_source": _usage_source(log),
        "price_version": price_version,
        "metadata": json.dumps(dict(log.metadata)) if log.metadata else None,
        "tags": json.dumps(list(log.tags)) if log.tags else None,
    }
    return LogRow(**values)


def price_of_log(log: Log, prices: PriceBook) -> Price:
    """Return what a redacted log costs.

    Raises:
        InvalidLog: It began outside the years 1 to 9999.
    """
    return prices.price(
        log.provider,
        log.model,
        (_datetime(log.start_time) - EPOCH) // MICROSECOND,
        _usage_of(log),
        service_tier=log.service_tier,
        operation=log.operation,
        response_model=log.response_model,
    )


def set_price(log: Log, cost_nano_usd: int | None, price_version: str) -> None:
    """Put what a log costs in the place of what its producer said."""
    log.ClearField("cost_nano_usd")
    if cost_nano_usd is not None:
        log.cost_nano_usd = cost_nano_usd
    log.price_version = price_version


def to_log(row: LogRow) -> Log:
    """Return the log of a row."""
    log = Log(
        log_id=str(row.log_id),
        operation=row.operation,
        outcome=OUTCOMES.index(row.outcome),  # type: ignore[arg-type] # the enum's number
        usage_source=USAGE_SOURCES.index(row.usage_source),  # type: ignore[arg-type] # as above
        price_version=row.price_version,
        metadata=json.loads(row.metadata or "{}"),
        tags=json.loads(row.tags or "[]"),
        **{name: getattr(row, name) for name in (*TEXTS, *FLAGS, *NUMBERS, "cost_nano_usd")},
    )
    for name in (*TIMES, "receive_time"):
        if getattr(row, name) is not None:
            getattr(log, name).FromMicroseconds((getattr(row, name) - _EPOCH) // _MICROSECOND)
    for name in DURATIONS:
        if getattr(row, f"{name}_us") is not None:
            getattr(log, name).FromMicroseconds(getattr(row, f"{name}_us"))
    return log


def _same_fields(log: Message) -> dict[str, Any]:
    return {
        **{name: getattr(log, name) for name in (*TEXTS, *FLAGS)},
        **{name: getattr(log, name) if log.HasField(name) else None for name in NUMBERS},
        **{name: _datetime(getattr(log, name)) if log.HasField(name) else None for name in TIMES},
    }


def _usage_of(log: Message) -> Usage:
    return Usage(*(getattr(log, name) if log.HasField(name) else None for name in USAGE_FIELDS))


def _usage_source(log: Log) -> str:
    if log.usage_source:
        return _word("usage_source", USAGE_SOURCES, log.usage_source)
    return "reported" if any(log.HasField(field) for field in REPORTED_BY) else "missing"


def _word(field: str, words: Sequence[str], number: int) -> str:
    """Return the word of an enum's number. proto3 carries any number, negative ones too."""
    if not 0 <= number < len(words):
        raise InvalidLog(f"{field}: unknown number")
    return words[number]


def _uuid(text: str) -> UUID:
    if not is_uuid(text):  # UUID() would take braces, underscores and foreign digits
        raise InvalidLog("log_id: must be a UUID")
    return UUID(text)


def _datetime(timestamp: Timestamp) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)
    except OverflowError:
        raise InvalidLog("a time outside the years 1 to 9999") from None


def _microseconds(duration: Duration) -> int:
    microseconds = duration.seconds * 1_000_000 + duration.nanos // 1000
    if abs(microseconds) > _MAX_BIGINT:
        raise InvalidLog("a duration that no bigint can hold")
    return microseconds

"""LogFilter: checked, and applied to the logs of the live tail. SQL applies it to stored ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe.v1.log_pb2 import Outcome

from codec.rules import MAX_DURATION_S, NANOS, is_trace_id
from codec.words import words_of
from server.rpc.checks import check_text, parse_words
from server.rpc.errors import InvalidField
from server.rpc.filters import metric_filters
from storage.log_filters import EXACT, LISTS, SEARCHED, LogFilter, Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.duration_pb2 import Duration
    from llm_observe.v1.filter_pb2 import LogFilter as LogFilterMessage
    from llm_observe.v1.filter_pb2 import MetricFilter
    from llm_observe.v1.log_pb2 import Log

_MAX_VALUES: Final = 50
_MAX_TEXT_CHARS: Final = 200
_OUTCOMES: Final = words_of(Outcome)
_DURATIONS: Final = ("latency", "time_to_first_token")
_NUMBERS: Final = ("input_token_count", "output_token_count", "cost_nano_usd")


def parse_log_filter(message: LogFilterMessage) -> LogFilter:
    """Return what a LogFilter selects.

    Raises:
        InvalidField: A list or a text is too long, a value is unknown, or a range is empty or negative.
    """
    for name in ("error_codes", "releases", "tags"):
        _check_list(f"filter.{name}", getattr(message, name))
    _check_count("filter.outcomes", message.outcomes)
    for name in (*EXACT, "text"):
        check_text(f"filter.{name}", getattr(message, name), max_chars=_MAX_TEXT_CHARS)
    if message.trace_id and not is_trace_id(message.trace_id):
        raise InvalidField([("filter.trace_id", "must be 32 lower-case hex digits")])
    lists = {
        **metric_filters(message.metric_filter, "filter.metric_filter"),
        "outcomes": parse_words("filter.outcomes", message.outcomes, Outcome),
        "error_codes": message.error_codes,
        "releases": message.releases,
    }
    return LogFilter(
        one_of={LISTS[name]: list(values) for name, values in lists.items() if values},
        equal={name: getattr(message, name) for name in EXACT if getattr(message, name)},
        within=_parse_ranges(message),
        tags=list(message.tags),
        text=message.text,
    )


def parse_error_filter(message: MetricFilter) -> LogFilter:
    """Return the filter of failed calls.

    Raises:
        InvalidField: A list has too many values.
    """
    lists = metric_filters(message)
    one_of = {LISTS[name]: values for name, values in lists.items() if values}
    return LogFilter(one_of={**one_of, "outcome": ["error"]})


def _check_list(field: str, values: Sequence[str]) -> None:
    _check_count(field, values)
    for value in values:
        check_text(field, value, max_chars=_MAX_TEXT_CHARS)


def _check_count(field: str, values: Sequence[object]) -> None:
    if len(values) > _MAX_VALUES:
        raise InvalidField([(field, f"must have at most {_MAX_VALUES} values")])


def _parse_ranges(message: LogFilterMessage) -> dict[str, Range]:
    ranges = {name: _parse_range(message, name) for name in _NUMBERS}
    for name in _DURATIONS:
        minimum, maximum = _parse_range(message, name)
        # Logs have whole microseconds.
        ranges[f"{name}_us"] = Range(
            None if minimum is None else -(-minimum // 1000), None if maximum is None else maximum // 1000
        )
    return {column: bounds for column, bounds in ranges.items() if bounds != Range()}


def _parse_range(message: LogFilterMessage, name: str) -> Range:
    """Return the bounds of a number; those of a duration are nanoseconds."""
    bounds = Range(_parse_bound(message, f"min_{name}"), _parse_bound(message, f"max_{name}"))
    if bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
        raise InvalidField([(f"filter.max_{name}", f"must not be less than min_{name}")])
    return bounds


def _parse_bound(message: LogFilterMessage, field: str) -> int | None:
    if not message.HasField(field):  # type: ignore[arg-type] # one of the fields that exist
        return None
    value: Duration | int = getattr(message, field)
    if isinstance(value, int):
        if value < 0:
            raise InvalidField([(f"filter.{field}", "must not be negative")])
        return value
    if not 0 <= value.seconds <= MAX_DURATION_S or not 0 <= value.nanos < NANOS:
        raise InvalidField([(f"filter.{field}", "must be a duration that is not negative")])
    return value.seconds * NANOS + value.nanos


class LogMatcher:
    """Tells which logs a filter selects, as the part log_filter of storage/parts.sql does of rows."""

    def __init__(self, log_filter: LogFilter) -> None:
        self._filter = log_filter
        self._one_of = {column: frozenset(values) for column, values in log_filter.one_of.items()}
        self._tags = frozenset(log_filter.tags)
        self._text = log_filter.text.casefold()

    def matches(self, log: Log) -> bool:
        """Tell whether the filter selects a log."""
        return (
            all(_word(log, column) in values for column, values in self._one_of.items())
            and all(getattr(log, column) == value for column, value in self._filter.equal.items())
            and all(
                _is_within(_number(log, column), bounds) for column, bounds in self._filter.within.items()
            )
            and self._tags.issubset(log.tags)
            and (not self._text or any(self._text in getattr(log, name).casefold() for name in SEARCHED))
        )


def _word(log: Log, column: str) -> str:
    """Return the text of a column as its row has it."""
    if column == "outcome":
        return _OUTCOMES[log.outcome]
    text: str = getattr(log, column)
    return text or "chat" if column == "operation" else text


def _number(log: Log, column: str) -> int | None:
    field = column.removesuffix("_us")
    if not log.HasField(field):  # type: ignore[arg-type] # a field of Log, by the names of RANGES
        return None
    value = getattr(log, field)
    return int(value if field == column else value.seconds * 1_000_000 + value.nanos // 1000)


def _is_within(value: int | None, bounds: Range) -> bool:
    return (
        value is not None
        and (bounds.min is None or bounds.min <= value)
        and (bounds.max is None or value <= bounds.max)
    )

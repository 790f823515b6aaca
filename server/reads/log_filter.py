"""LogFilter: checked, and applied to the logs of the live tail. SQL applies it to stored ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe.v1.log_pb2 import Outcome

from codec.rules import MAX_DURATION_S, NANOS, is_trace_id
from codec.words import words_of
from server.reads.queries import metric_filters
from server.rpc.checks import check_text, parse_words
from server.rpc.errors import InvalidField
from storage.log_filters import EXACT, LISTS, RANGES, SEARCHED, LogFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.duration_pb2 import Duration
    from llm_observe.v1.filter_pb2 import LogFilter as LogFilterMessage
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
    texts = {name: _parse_text(f"filter.{name}", getattr(message, name)) for name in (*EXACT, "text")}
    if texts["trace_id"] and not is_trace_id(texts["trace_id"]):
        raise InvalidField([("filter.trace_id", "must be 32 lower-case hex digits")])
    lists = {
        name: _parse_list(f"filter.{name}", getattr(message, name))
        for name in ("error_codes", "releases", "tags")
    }
    _check_count("filter.outcomes", message.outcomes)
    outcomes = parse_words("filter.outcomes", message.outcomes, Outcome)
    return LogFilter(
        **metric_filters(message.metric_filter, "filter.metric_filter"),
        **texts,
        **lists,
        outcomes=outcomes or None,
        **_parse_ranges(message),
    )


def _parse_text(field: str, text: str) -> str | None:
    check_text(field, text, max_chars=_MAX_TEXT_CHARS)
    return text or None


def _parse_list(field: str, values: Sequence[str]) -> list[str] | None:
    _check_count(field, values)
    for value in values:
        check_text(field, value, max_chars=_MAX_TEXT_CHARS)
    return list(values) or None


def _check_count(field: str, values: Sequence[object]) -> None:
    if len(values) > _MAX_VALUES:
        raise InvalidField([(field, f"must have at most {_MAX_VALUES} values")])


def _parse_ranges(message: LogFilterMessage) -> dict[str, int | None]:
    bounds: dict[str, int | None] = {}
    for name in _NUMBERS:
        bounds[f"min_{name}"], bounds[f"max_{name}"] = _parse_range(message, name)
    for name in _DURATIONS:
        minimum, maximum = _parse_range(message, name)
        # Logs have whole microseconds.
        bounds[f"min_{name}_us"] = None if minimum is None else -(-minimum // 1000)
        bounds[f"max_{name}_us"] = None if maximum is None else maximum // 1000
    return bounds


def _parse_range(message: LogFilterMessage, name: str) -> tuple[int | None, int | None]:
    """Return the bounds of a number; those of a duration are nanoseconds."""
    minimum, maximum = (_parse_bound(message, f"{bound}_{name}") for bound in ("min", "max"))
    if minimum is not None and maximum is not None and minimum > maximum:
        raise InvalidField([(f"filter.max_{name}", f"must not be less than min_{name}")])
    return minimum, maximum


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
        self._one_of = {
            column: frozenset(values)
            for name, column in LISTS.items()
            if (values := getattr(log_filter, name)) is not None
        }
        self._equal = {
            column: value for column in EXACT if (value := getattr(log_filter, column)) is not None
        }
        self._ranges = {
            column: bounds
            for column in RANGES
            if (bounds := (getattr(log_filter, f"min_{column}"), getattr(log_filter, f"max_{column}")))
            != (None, None)
        }
        self._tags = frozenset(log_filter.tags or ())
        self._text = (log_filter.text or "").casefold()

    def matches(self, log: Log) -> bool:
        """Tell whether the filter selects a log."""
        return (
            all(_word(log, column) in values for column, values in self._one_of.items())
            and all(getattr(log, column) == value for column, value in self._equal.items())
            and all(_is_within(_number(log, column), *bounds) for column, bounds in self._ranges.items())
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


def _is_within(value: int | None, minimum: int | None, maximum: int | None) -> bool:
    return (
        value is not None and (minimum is None or minimum <= value) and (maximum is None or value <= maximum)
    )

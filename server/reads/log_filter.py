"""LogFilter, applied to logs that pass by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.reads.queries import metric_filters
from server.rpc.checks import check_text
from server.rpc.errors import InvalidField

if TYPE_CHECKING:
    from llm_observe.v1.filter_pb2 import LogFilter
    from llm_observe.v1.log_pb2 import Log

_VALUES: Final = 50
_TEXT_CHARS: Final = 200
_EQUAL: Final = ("session_id", "conversation_id", "user_id", "trace_id")
_SEARCHED: Final = ("input_preview", "output_preview", "error_message")
_ONE_OF: Final = {
    "providers": "provider",
    "models": "model",
    "operations": "operation",
    "environments": "environment",
}


class LogMatcher:
    """Tells which logs a filter selects.

    Raises:
        InvalidField: A list or a text of the filter is too long.
    """

    def __init__(self, asked: LogFilter) -> None:
        for name in ("outcomes", "error_codes", "tags"):
            if len(getattr(asked, name)) > _VALUES:
                raise InvalidField([(f"filter.{name}", f"at most {_VALUES} values")])
        for name in _EQUAL:
            check_text(f"filter.{name}", getattr(asked, name), max_chars=_TEXT_CHARS)
        check_text("filter.text", asked.text, max_chars=_TEXT_CHARS)
        lists = metric_filters(asked.metric_filter)
        self._one_of: dict[str, frozenset[object]] = {
            _ONE_OF[name]: frozenset(values) for name, values in lists.items() if values
        }
        if asked.outcomes:
            self._one_of["outcome"] = frozenset(asked.outcomes)
        if asked.error_codes:
            self._one_of["error_code"] = frozenset(asked.error_codes)
        self._equal = {name: value for name in _EQUAL if (value := getattr(asked, name))}
        self._tags = frozenset(asked.tags)
        self._text = asked.text.casefold()
        self._least_ns = asked.min_latency.ToNanoseconds() if asked.HasField("min_latency") else None
        self._most_ns = asked.max_latency.ToNanoseconds() if asked.HasField("max_latency") else None

    def matches(self, log: Log) -> bool:
        """Tell whether the filter selects a log."""
        return (
            all(getattr(log, name) in values for name, values in self._one_of.items())
            and all(getattr(log, name) == value for name, value in self._equal.items())
            and self._tags.issubset(log.tags)
            and self._is_as_slow(log)
            and (not self._text or any(self._text in getattr(log, name).casefold() for name in _SEARCHED))
        )

    def _is_as_slow(self, log: Log) -> bool:
        if self._least_ns is None and self._most_ns is None:
            return True
        if not log.HasField("latency"):
            return False
        latency_ns = log.latency.ToNanoseconds()
        return (self._least_ns or 0) <= latency_ns and (self._most_ns is None or latency_ns <= self._most_ns)

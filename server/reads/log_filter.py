"""LogFilter, applied to the logs of the live tail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.reads.queries import metric_filters
from server.rpc.checks import check_text
from server.rpc.errors import InvalidField

if TYPE_CHECKING:
    from llm_observe.v1.filter_pb2 import LogFilter
    from llm_observe.v1.log_pb2 import Log

_MAX_VALUES: Final = 50
_MAX_TEXT_CHARS: Final = 200
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

    def __init__(self, log_filter: LogFilter) -> None:
        for name in ("outcomes", "error_codes", "tags"):
            if len(getattr(log_filter, name)) > _MAX_VALUES:
                raise InvalidField([(f"filter.{name}", f"at most {_MAX_VALUES} values")])
        for name in _EQUAL:
            check_text(f"filter.{name}", getattr(log_filter, name), max_chars=_MAX_TEXT_CHARS)
        check_text("filter.text", log_filter.text, max_chars=_MAX_TEXT_CHARS)
        lists = metric_filters(log_filter.metric_filter)
        self._one_of: dict[str, frozenset[object]] = {
            _ONE_OF[name]: frozenset(values) for name, values in lists.items() if values
        }
        if log_filter.outcomes:
            self._one_of["outcome"] = frozenset(log_filter.outcomes)
        if log_filter.error_codes:
            self._one_of["error_code"] = frozenset(log_filter.error_codes)
        self._equal = {name: value for name in _EQUAL if (value := getattr(log_filter, name))}
        self._tags = frozenset(log_filter.tags)
        self._text = log_filter.text.casefold()
        self._min_latency_ns = (
            log_filter.min_latency.ToNanoseconds() if log_filter.HasField("min_latency") else None
        )
        self._max_latency_ns = (
            log_filter.max_latency.ToNanoseconds() if log_filter.HasField("max_latency") else None
        )

    def matches(self, log: Log) -> bool:
        """Tell whether the filter selects a log."""
        return (
            all(getattr(log, name) in values for name, values in self._one_of.items())
            and all(getattr(log, name) == value for name, value in self._equal.items())
            and self._tags.issubset(log.tags)
            and self._matches_latency(log)
            and (not self._text or any(self._text in getattr(log, name).casefold() for name in _SEARCHED))
        )

    def _matches_latency(self, log: Log) -> bool:
        minimum, maximum = self._min_latency_ns, self._max_latency_ns
        if minimum is None and maximum is None:
            return True
        if not log.HasField("latency"):
            return False
        latency_ns = log.latency.ToNanoseconds()
        return (minimum or 0) <= latency_ns and (maximum is None or latency_ns <= maximum)

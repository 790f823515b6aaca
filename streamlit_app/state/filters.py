"""Which calls a page shows."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from llm_observe.v1.filter_pb2 import LogFilter, MetricFilter
from llm_observe.v1.log_pb2 import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_VALUES: Final = 50
"""The server takes no more values of one filter."""
METRIC_KEYS: Final = ("provider", "model", "env", "op")
"""Filters that act on numbers and logs alike; the others act on logs alone."""
OUTCOMES: Final = {
    "success": Outcome.OUTCOME_SUCCESS,
    "error": Outcome.OUTCOME_ERROR,
    "cancelled": Outcome.OUTCOME_CANCELLED,
}
LABELS: Final = {
    "provider": "Provider", "model": "Model", "env": "Environment", "op": "Operation", "outcome": "Outcome",
    "code": "Error code", "tag": "Tag", "release": "Release", "user": "User", "session": "Session",
    "conversation": "Conversation", "trace": "Trace", "q": "Text", "latency": "Latency",
    "ttft": "First token",
}  # fmt: skip
_RANGE: Final = re.compile(r"(\d*\.?\d*)\.\.(\d*\.?\d*)")


@dataclass(frozen=True, slots=True)
class Filters:
    """Values to keep, by the names that they have in URLs. An empty tuple keeps all.

    ``latency`` and ``ttft`` hold one value, a range of seconds: ``1..2.5``, ``1..`` or ``..2.5``.
    """

    provider: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    op: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    conversation: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    q: tuple[str, ...] = ()
    latency: tuple[str, ...] = ()
    ttft: tuple[str, ...] = ()

    @classmethod
    def from_query(cls, query: Mapping[str, Sequence[str]]) -> Filters:
        """Return the filters of a URL, without values that cannot be."""
        kept = {key: [value for value in query.get(key, ()) if _is_valid(key, value)] for key in KEYS}
        return cls(**{key: _normalise(key, values) for key, values in kept.items()})

    def to_query(self) -> dict[str, list[str]]:
        """Return the parameters of a URL."""
        return {key: list(values) for key in KEYS if (values := self.get(key))}

    def get(self, key: str) -> tuple[str, ...]:
        """Return the values of one filter."""
        values: tuple[str, ...] = getattr(self, key)
        return values

    def with_values(self, key: str, values: Sequence[str]) -> Filters:
        """Return these filters with other values of one."""
        return replace(self, **{key: _normalise(key, values)})

    def without(self, key: str, value: str) -> Filters:
        """Return these filters without one value."""
        return self.with_values(key, [kept for kept in self.get(key) if kept != value])

    def only(self, keys: Sequence[str]) -> Filters:
        """Return these filters with no others than those."""
        return Filters(**{key: self.get(key) for key in keys})

    def items(self) -> list[tuple[str, str]]:
        """Return all names and values."""
        return [(key, value) for key in KEYS for value in self.get(key)]

    def to_metric_filter(self) -> MetricFilter:
        """Return what to ask of numbers."""
        return MetricFilter(
            providers=self.provider, models=self.model, environments=self.env, operations=self.op
        )

    def to_log_filter(self) -> LogFilter:
        """Return what to ask of logs."""
        asked = LogFilter(
            metric_filter=self.to_metric_filter(),
            outcomes=[OUTCOMES[word] for word in self.outcome],
            error_codes=self.code,
            tags=self.tag,
            releases=self.release,
            user_id=_first(self.user),
            session_id=_first(self.session),
            conversation_id=_first(self.conversation),
            trace_id=_first(self.trace),
            text=_first(self.q),
        )
        least, most = _parse_range(self.latency)
        if least is not None:
            asked.min_latency.FromTimedelta(least)
        if most is not None:
            asked.max_latency.FromTimedelta(most)
        least, most = _parse_range(self.ttft)
        if least is not None:
            asked.min_time_to_first_token.FromTimedelta(least)
        if most is not None:
            asked.max_time_to_first_token.FromTimedelta(most)
        return asked


KEYS: Final = tuple(field.name for field in fields(Filters))
_RANGES: Final = frozenset({"latency", "ttft"})
_SINGLE: Final = frozenset({"user", "session", "conversation", "trace", "q", *_RANGES})


def _is_valid(key: str, value: str) -> bool:
    if key == "outcome":
        return value in OUTCOMES
    return _RANGE.fullmatch(value) is not None if key in _RANGES else bool(value.strip())


def _normalise(key: str, values: Sequence[str]) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(value for value in values if value))
    return distinct[: 1 if key in _SINGLE else MAX_VALUES]


def _first(values: tuple[str, ...]) -> str:
    return values[0] if values else ""


def _parse_range(values: tuple[str, ...]) -> tuple[timedelta | None, timedelta | None]:
    found = _RANGE.fullmatch(_first(values))
    least, most = (_parse_seconds(text) for text in found.groups()) if found else (None, None)
    return least, most


def _parse_seconds(text: str) -> timedelta | None:
    return timedelta(seconds=float(text)) if text.strip(".") else None

"""Which logs a read selects: the part log_filter of parts.sql, and the live tail's matcher, follow this."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LISTS: Final = {
    "providers": "provider",
    "models": "model",
    "operations": "operation",
    "environments": "environment",
    "outcomes": "outcome",
    "error_codes": "error_code",
    "releases": "release",
}
"""Filters that list values of a column, and that column."""
EXACT: Final = ("session_id", "conversation_id", "user_id", "trace_id")
"""Columns that a filter compares with one value."""
RANGES: Final = (
    "latency_us",
    "time_to_first_token_us",
    "input_token_count",
    "output_token_count",
    "cost_nano_usd",
)
"""Columns that a filter bounds. An unknown number is in no range."""
SEARCHED: Final = ("input_preview", "output_preview", "error_message")
"""Columns one of which must contain the text of a filter, both case-folded as Unicode has it."""


class Range(NamedTuple):
    """Numbers between two bounds, both inclusive."""

    min: int | None = None
    max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Selects the logs for which everything that is set here holds. By default all."""

    one_of: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values by column, any of which a log must have; the columns of LISTS."""
    equal: Mapping[str, str] = field(default_factory=dict)
    """A value by column, of EXACT."""
    within: Mapping[str, Range] = field(default_factory=dict)
    """A range by column, of RANGES."""
    tags: Sequence[str] = ()
    """All of which a log must carry."""
    text: str = ""

    @property
    def matches_all(self) -> bool:
        """Whether nothing is set."""
        return self == LogFilter()

    @property
    def selects_errors(self) -> bool:
        """Whether only failed calls can match."""
        return set(self.one_of.get("outcome", ())) == {"error"}

    def values(self) -> dict[str, object]:
        """Return the parameters of the part log_filter."""
        ranges = {column: self.within.get(column, Range()) for column in RANGES}
        return {
            **{name: self.one_of.get(column) for name, column in LISTS.items()},
            **{column: self.equal.get(column) for column in EXACT},
            **{f"min_{column}": bounds.min for column, bounds in ranges.items()},
            **{f"max_{column}": bounds.max for column, bounds in ranges.items()},
            "tags": json.dumps(list(self.tags)) if self.tags else None,
            "text": self.text or None,
        }

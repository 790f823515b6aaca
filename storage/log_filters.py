"""Which logs a read selects: the part log_filter of parts.sql, and the live tail's matcher, follow this."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

LISTS: Final = {
    "providers": "provider",
    "models": "model",
    "operations": "operation",
    "environments": "environment",
    "outcomes": "outcome",
    "error_codes": "error_code",
    "releases": "release",
}
"""Filters that name values of a column, any of which a log must have, and that column."""
EXACT: Final = ("session_id", "conversation_id", "user_id", "trace_id")
"""Columns that a filter of the same name compares with one value."""
RANGES: Final = (
    "latency_us",
    "time_to_first_token_us",
    "input_token_count",
    "output_token_count",
    "cost_nano_usd",
)
"""Numbers that the filters min_ and max_ bound, both inclusive. An unknown number is in no range."""
SEARCHED: Final = ("input_preview", "output_preview", "error_message")
"""Columns one of which must contain the text of a filter, both case-folded as Unicode has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Selects the logs for which everything that is set here holds. None matches all."""

    providers: Sequence[str] | None = None
    models: Sequence[str] | None = None
    operations: Sequence[str] | None = None
    environments: Sequence[str] | None = None
    outcomes: Sequence[str] | None = None
    error_codes: Sequence[str] | None = None
    releases: Sequence[str] | None = None
    session_id: str | None = None
    conversation_id: str | None = None
    user_id: str | None = None
    trace_id: str | None = None
    tags: Sequence[str] | None = None
    """All of which a log must carry."""
    text: str | None = None
    min_latency_us: int | None = None
    max_latency_us: int | None = None
    min_time_to_first_token_us: int | None = None
    max_time_to_first_token_us: int | None = None
    min_input_token_count: int | None = None
    max_input_token_count: int | None = None
    min_output_token_count: int | None = None
    max_output_token_count: int | None = None
    min_cost_nano_usd: int | None = None
    max_cost_nano_usd: int | None = None

    @property
    def matches_all(self) -> bool:
        """Whether nothing is set."""
        return self == LogFilter()

    @property
    def selects_errors(self) -> bool:
        """Whether only failed calls can match."""
        return self.outcomes is not None and set(self.outcomes) == {"error"}

    def values(self) -> dict[str, object]:
        """Return the parameters of the part log_filter."""
        return {**asdict(self), "tags": None if self.tags is None else json.dumps(list(self.tags))}

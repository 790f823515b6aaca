"""Alert rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from storage.alert_sources import AlertSource, AlertSources, SourceSpec
from storage.sql import load_queries

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec(SourceSpec):
    """What a person sets of a rule, and which calls it is about."""

    metric: str
    comparison: str
    threshold: float
    relative_to_previous: bool
    window_length: timedelta
    group_by: str
    """A dimension of rollups, or ''."""
    min_request_count: int
    for_duration: timedelta
    keep_duration: timedelta
    repeat_interval: timedelta
    severity: str


AlertRule: TypeAlias = AlertSource[RuleSpec]
RULES: Final = AlertSources(load_queries(__file__), RuleSpec)

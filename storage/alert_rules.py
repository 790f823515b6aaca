"""Alert rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from storage.alert_sources import AlertSource, AlertSources
from storage.rollups import RollupFilter
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """What a person sets of a rule; alert_service.proto explains it. Enums are their words."""

    display_name: str
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
    providers: Sequence[str] | None
    """None matches all; likewise the three that follow."""
    models: Sequence[str] | None
    operations: Sequence[str] | None
    environments: Sequence[str] | None
    channel_ids: Sequence[UUID]
    disabled: bool

    def rollup_filter(self, project_id: str) -> RollupFilter:
        """Return which rollups the rule reads."""
        return RollupFilter(
            project_id=project_id,
            providers=self.providers,
            models=self.models,
            operations=self.operations,
            environments=self.environments,
        )


AlertRule: TypeAlias = AlertSource[RuleSpec]
RULES: Final = AlertSources(load_queries(__file__), RuleSpec)

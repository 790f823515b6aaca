"""Budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from storage.alert_sources import AlertSource, AlertSources
from storage.rollups import RollupFilter
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSpec:
    """What a person sets of a budget; alert_service.proto explains it. Enums are their words."""

    display_name: str
    period: str
    time_zone: str
    """IANA name."""
    amount_nano_usd: int
    threshold_percents: Sequence[int]
    forecast_disabled: bool
    providers: Sequence[str] | None
    """None matches all; likewise the three that follow."""
    models: Sequence[str] | None
    operations: Sequence[str] | None
    environments: Sequence[str] | None
    channel_ids: Sequence[UUID]
    disabled: bool

    def rollup_filter(self, project_id: str) -> RollupFilter:
        """Return which rollups the budget counts."""
        return RollupFilter(
            project_id=project_id,
            providers=self.providers,
            models=self.models,
            operations=self.operations,
            environments=self.environments,
        )


Budget: TypeAlias = AlertSource[BudgetSpec]
BUDGETS: Final = AlertSources(load_queries(__file__), BudgetSpec)

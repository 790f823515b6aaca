"""Budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from storage.alert_sources import AlertSource, AlertSources, SourceSpec
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSpec(SourceSpec):
    """What a person sets of a budget, and which calls it counts."""

    period: str
    time_zone: str
    """IANA name."""
    amount_nano_usd: int
    threshold_percents: Sequence[int]
    forecast_disabled: bool


Budget: TypeAlias = AlertSource[BudgetSpec]
BUDGETS: Final = AlertSources(load_queries(__file__), BudgetSpec)

"""Budgets: periods of the calendar, what they have cost, and what they will."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from analytics.aggregates import read_rollups
from analytics.alerts.rules import fingerprint_of
from analytics.alerts.values import format_usd
from analytics.windows import Window, cover
from storage.rollups import sum_rollups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from storage.budgets import BudgetSpec
    from storage.pool import Database

_MIN_SHARE: Final = Fraction(1, 24)
"""Share of a period that must have passed before there is a forecast: an hour of a day."""
_PERCENT: Final = 100
_MICROSECOND: Final = timedelta(microseconds=1)
FORECAST: Final = "forecast"


def period_at(period: str, time_zone: str, now: datetime) -> Window:
    """Return the period of the calendar that a time is in.

    Args:
        period: ``day``, ``week`` (from Monday) or ``month``.
        time_zone: IANA name. Where midnight does not exist, the day begins when the clocks are set forward.
        now: Any time.
    """
    zone = ZoneInfo(time_zone)
    first = _first_day(period, now.astimezone(zone).date())
    return Window(_midnight(first, zone), _midnight(_next_first_day(period, first), zone))


def _first_day(period: str, day: date) -> date:
    if period == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if period == "week" else day


def _next_first_day(period: str, first: date) -> date:
    if period == "month":
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if period == "week" else 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def forecast_of(spent_nano_usd: int, period: Window, now: datetime) -> int | None:
    """Return what a period will have cost, if it goes on as so far; None while it is too early to tell."""
    share = Fraction((now - period.start) // _MICROSECOND, (period.end - period.start) // _MICROSECOND)
    return round(spent_nano_usd / share) if share >= _MIN_SHARE else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStatus:
    """How much of a budget is spent."""

    period: Window
    spent_nano_usd: int
    forecast_nano_usd: int | None
    request_count: int
    unpriced_count: int
    """Calls whose cost is unknown, and not in what was spent."""


async def read_budget(database: Database, project_id: str, spec: BudgetSpec, now: datetime) -> BudgetStatus:
    """Return how much of a budget is spent so far.

    Raises:
        StorageError: The database does not answer.
    """
    period = period_at(spec.period, spec.time_zone, now)
    async with read_rollups(database, Window(period.start, now), project_id) as snapshot:
        cells = await sum_rollups(
            snapshot.connection, cover(snapshot.window), spec.rollup_filter(project_id), packed=()
        )
    spent = sum(cell.sums["cost_nano_usd_sum"] for cell in cells)
    requests = sum(cell.sums["request_count"] for cell in cells)
    return BudgetStatus(
        period=period,
        spent_nano_usd=spent,
        forecast_nano_usd=forecast_of(spent, period, now),
        request_count=requests,
        unpriced_count=requests - sum(cell.sums["priced_count"] for cell in cells),
    )


class BudgetAlert(NamedTuple):
    """A threshold of a budget in a period, and whether it is reached."""

    group: str
    """``80 %`` or ``forecast``."""
    fingerprint: str
    value: float
    """In 10^-9 US dollars."""
    reached: bool
    summary: str


def check_thresholds(budget_id: UUID, spec: BudgetSpec, status: BudgetStatus) -> Sequence[BudgetAlert]:
    """Return every threshold of a budget. Their fingerprints change with period and amount."""
    alerts = [_check_spent(budget_id, spec, status, percent) for percent in sorted(spec.threshold_percents)]
    if not spec.forecast_disabled and status.forecast_nano_usd is not None:
        alerts.append(_check_forecast(budget_id, spec, status, status.forecast_nano_usd))
    return alerts


def _check_spent(budget_id: UUID, spec: BudgetSpec, status: BudgetStatus, percent: int) -> BudgetAlert:
    spent, amount = status.spent_nano_usd, spec.amount_nano_usd
    return BudgetAlert(
        f"{percent} %",
        _fingerprint(budget_id, spec, status, percent),
        float(spent),
        spent * _PERCENT >= amount * percent,
        f"{format_usd(spent)} of {format_usd(amount)} are spent, {spent * _PERCENT // amount} %"
        f" of the {spec.period}'s budget{_unknown(status)}",
    )


def _check_forecast(budget_id: UUID, spec: BudgetSpec, status: BudgetStatus, forecast: int) -> BudgetAlert:
    return BudgetAlert(
        FORECAST,
        _fingerprint(budget_id, spec, status, FORECAST),
        float(forecast),
        forecast > spec.amount_nano_usd,
        f"{format_usd(forecast)} will be spent by the end of the {spec.period} if it goes on as so far;"
        f" the budget is {format_usd(spec.amount_nano_usd)}{_unknown(status)}",
    )


def _fingerprint(budget_id: UUID, spec: BudgetSpec, status: BudgetStatus, threshold: object) -> str:
    return fingerprint_of(budget_id, status.period.start, spec.period, spec.amount_nano_usd, threshold)


def _unknown(status: BudgetStatus) -> str:
    """Say how much of the cost is unknown."""
    if not status.unpriced_count:
        return ""
    share = status.unpriced_count * _PERCENT / status.request_count
    return f"; the cost of {share:.2g} % of the calls is unknown and not in it"


def budget_labels(project_id: str, spec: BudgetSpec, group: str) -> dict[str, str]:
    """Return the labels of a budget's alert."""
    return {
        "alertname": spec.display_name,
        "project": project_id,
        "severity": "warning",
        "metric": "cost",
        "period": spec.period,
        "threshold": group,
    }

"""`llm-observe alerts budgets`."""

from __future__ import annotations

from typing import Final

import click
from llm_observe.v1 import alert_service_pb2 as pb
from llm_observe.v1.filter_pb2 import MetricFilter

from stack.cli.alerts.common import (
    NANO,
    TIMEOUT_S,
    alert_service,
    channel_option,
    filter_options,
    format_time,
    word_of,
)
from stack.cli.output import json_option, print_items

_PERIODS: Final = ("day", "week", "month")
_COLUMNS: Final = ("id", "name", "budget", "spent", "forecast", "unpriced calls", "until (UTC)", "state")


@click.group()
def budgets() -> None:
    """Create, list and delete budgets."""


@budgets.command(name="create")
@click.argument("name")
@click.option("--day", type=float, help="US dollars a day.")
@click.option("--week", type=float, help="US dollars a week, from Monday.")
@click.option("--month", type=float, help="US dollars a month.")
@click.option("--time-zone", default="UTC", show_default=True, help="Time zone of the period.")
@click.option("--threshold", "percents", multiple=True, type=int, help="Percentage; default 50, 80 and 100.")
@click.option("--no-forecast", is_flag=True, help="Do not alert by the forecast.")
@filter_options
@channel_option
def create_budget(
    *,
    name: str,
    time_zone: str,
    percents: tuple[int, ...],
    no_forecast: bool,
    channel_ids: tuple[str, ...],
    day: float | None,
    week: float | None,
    month: float | None,
    **filters: tuple[str, ...],
) -> None:
    """Create a budget and print its id."""
    given = [(p, usd) for p, usd in zip(_PERIODS, (day, week, month), strict=True) if usd is not None]
    if len(given) != 1:
        raise click.UsageError("give one of --day, --week and --month")
    ((period, usd),) = given
    budget = pb.Budget(
        display_name=name,
        period=pb.BudgetPeriod.Value(f"BUDGET_PERIOD_{period.upper()}"),
        time_zone=time_zone,
        amount_nano_usd=round(usd * NANO),
        threshold_percents=percents,
        forecast_disabled=no_forecast,
        filter=MetricFilter(**filters),
        channel_ids=channel_ids,
    )
    with alert_service() as service:
        response = service.CreateBudget(pb.CreateBudgetRequest(budget=budget), timeout=TIMEOUT_S)
    click.echo(response.budget.budget_id)


@budgets.command(name="list")
@json_option
def list_budgets(*, as_json: bool) -> None:
    """List budgets, and how much of each is spent."""
    with alert_service() as service:
        found = service.ListBudgets(pb.ListBudgetsRequest(), timeout=TIMEOUT_S).budgets
        rows = [
            service.GetBudget(pb.GetBudgetRequest(budget_id=each.budget_id), timeout=TIMEOUT_S)
            for each in found
        ]
    nothing = "no budgets: create one with `llm-observe alerts budgets create`"
    print_items(rows, _COLUMNS, _row, as_json=as_json, nothing=nothing)


def _row(response: pb.GetBudgetResponse) -> tuple[str | int, ...]:
    budget, status = response.budget, response.status
    share = status.spent_nano_usd / budget.amount_nano_usd
    forecast = _usd(status.forecast_nano_usd) if status.HasField("forecast_nano_usd") else "too early"
    return (
        budget.budget_id,
        budget.display_name,
        f"{_usd(budget.amount_nano_usd)} a {word_of(pb.BudgetPeriod, budget.period, 'BUDGET_PERIOD_')}",
        f"{_usd(status.spent_nano_usd)} ({share:.0%})",
        forecast,
        status.unpriced_count,
        format_time(status.time_range.end_time),
        "disabled" if budget.disabled else budget.evaluation_error or "enabled",
    )


def _usd(nano_usd: int) -> str:
    return f"${nano_usd / NANO:,.2f}"


@budgets.command(name="delete")
@click.argument("budget_id")
def delete_budget(budget_id: str) -> None:
    """Delete a budget, and resolve its alerts."""
    with alert_service() as service:
        service.DeleteBudget(pb.DeleteBudgetRequest(budget_id=budget_id), timeout=TIMEOUT_S)
    click.echo("deleted")

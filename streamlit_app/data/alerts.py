"""Reads and writes alert rules, budgets and what came of them.

Every function waits for its answer and raises ServerError if the call fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1 import alert_service_pb2 as pb
from llm_observe.v1.alert_service_pb2_grpc import AlertServiceStub

from streamlit_app.data.connection import channel, server_errors, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_READ: Final = 20
"""Budgets whose spending is read: each takes a call."""
_STATES: Final = (pb.ALERT_STATE_PENDING, pb.ALERT_STATE_FIRING, pb.ALERT_STATE_RESOLVED)


class BudgetWithStatus(NamedTuple):
    """A budget and how much of it is spent; None if that was not read."""

    budget: pb.Budget
    status: pb.BudgetStatus | None


def list_alert_rules() -> list[pb.AlertRule]:
    """Return the rules, oldest first."""
    with server_errors():
        answer = _stub().ListAlertRules(pb.ListAlertRulesRequest(), timeout=settings().timeout_s)
    return list(answer.alert_rules)


def list_budgets() -> list[BudgetWithStatus]:
    """Return the budgets, oldest first."""
    with server_errors():
        answer = _stub().ListBudgets(pb.ListBudgetsRequest(), timeout=settings().timeout_s)
        pending = [
            _stub().GetBudget.future(
                pb.GetBudgetRequest(budget_id=budget.budget_id), timeout=settings().timeout_s
            )
            for budget in answer.budgets[:_MAX_READ]
        ]
        read = [BudgetWithStatus(found.budget, found.status) for found in (call.result() for call in pending)]
    return [*read, *(BudgetWithStatus(budget, None) for budget in answer.budgets[_MAX_READ:])]


def list_alerts(limit: int) -> list[pb.Alert]:
    """Return the latest alerts, open and resolved."""
    request = pb.ListAlertsRequest(states=_STATES, page_size=limit)
    with server_errors():
        return list(_stub().ListAlerts(request, timeout=settings().timeout_s).alerts)


def list_open_alerts() -> list[pb.Alert]:
    """Return the alerts that are pending or firing."""
    with server_errors():
        answer = _stub().ListAlerts(pb.ListAlertsRequest(page_size=1000), timeout=settings().timeout_s)
    return list(answer.alerts)


def list_channels() -> list[pb.Channel]:
    """Return the channels that notices can go to."""
    with server_errors():
        answer = _stub().ListChannels(pb.ListChannelsRequest(), timeout=settings().timeout_s)
    return list(answer.channels)


def create_alert_rule(rule: pb.AlertRule) -> None:
    """Create a rule."""
    with server_errors():
        _stub().CreateAlertRule(pb.CreateAlertRuleRequest(alert_rule=rule), timeout=settings().timeout_s)


def create_budget(budget: pb.Budget) -> None:
    """Create a budget."""
    with server_errors():
        _stub().CreateBudget(pb.CreateBudgetRequest(budget=budget), timeout=settings().timeout_s)


def delete_alert_rule(alert_rule_id: str) -> None:
    """Delete a rule; its open alerts are resolved."""
    with server_errors():
        _stub().DeleteAlertRule(
            pb.DeleteAlertRuleRequest(alert_rule_id=alert_rule_id), timeout=settings().timeout_s
        )


def delete_budget(budget_id: str) -> None:
    """Delete a budget; its open alerts are resolved."""
    with server_errors():
        _stub().DeleteBudget(pb.DeleteBudgetRequest(budget_id=budget_id), timeout=settings().timeout_s)


def open_of(alerts: Sequence[pb.Alert], owner_id: str) -> list[pb.Alert]:
    """Return the open alerts of a rule or a budget."""
    return [
        alert
        for alert in alerts
        if owner_id in {alert.alert_rule_id, alert.budget_id} and alert.state != pb.ALERT_STATE_RESOLVED
    ]


def _stub() -> AlertServiceStub:
    return AlertServiceStub(channel())

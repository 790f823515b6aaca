"""Alert rules and budgets: listed with their last state, made, deleted; and the alerts that came of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import streamlit as st
from llm_observe.v1 import alert_service_pb2 as pb

from streamlit_app import format as fmt
from streamlit_app.components.access import role_button
from streamlit_app.components.dialogs import close_dialog, forget_dialog, open_dialog
from streamlit_app.components.errors import show_error
from streamlit_app.components.safe_text import literal
from streamlit_app.data.alerts import delete_alert_rule, delete_budget, open_of
from streamlit_app.data.connection import ServerError
from streamlit_app.panels.operations.common import ROW_PX, optional_time, show_rows, time_column

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamlit_app.data.alerts import BudgetWithStatus

NANO: Final = 1e9
_MAX_SHOWN_PERCENT: Final = 200.0


class Unit(NamedTuple):
    """What a metric's threshold is entered in: so many of the server's units are one of these."""

    label: str
    words: str
    factor: float


METRICS: Final = {
    pb.ALERT_METRIC_ERROR_RATE: Unit("Error rate", "%", 0.01),
    pb.ALERT_METRIC_LATENCY_P95: Unit("Latency p95", "s", 1),
    pb.ALERT_METRIC_LATENCY_P99: Unit("Latency p99", "s", 1),
    pb.ALERT_METRIC_TTFT_P95: Unit("First token p95", "s", 1),
    pb.ALERT_METRIC_COST: Unit("Cost", "$", NANO),
    pb.ALERT_METRIC_TOKENS: Unit("Tokens", "", 1),
    pb.ALERT_METRIC_REQUEST_COUNT: Unit("Requests", "", 1),
    pb.ALERT_METRIC_UNPRICED_SHARE: Unit("Unpriced share", "%", 0.01),
    pb.ALERT_METRIC_QUEUE_AGE: Unit("Age of the queue", "s", 1),
    pb.ALERT_METRIC_DEAD_LETTERS: Unit("Dead letters", "", 1),
}
_UNKNOWN: Final = Unit("Unknown metric", "", 1)
_NOW_ONLY: Final = frozenset({pb.ALERT_METRIC_QUEUE_AGE, pb.ALERT_METRIC_DEAD_LETTERS})
_STATES: Final = {
    pb.ALERT_STATE_PENDING: "pending",
    pb.ALERT_STATE_FIRING: "firing",
    pb.ALERT_STATE_RESOLVED: "resolved",
}
SEVERITIES: Final = {
    "warning": pb.ALERT_SEVERITY_WARNING,
    "critical": pb.ALERT_SEVERITY_CRITICAL,
    "info": pb.ALERT_SEVERITY_INFO,
}
_SEVERITY_NAMES: Final = {number: name for name, number in SEVERITIES.items()}
PERIODS: Final = {"month": pb.BUDGET_PERIOD_MONTH, "week": pb.BUDGET_PERIOD_WEEK, "day": pb.BUDGET_PERIOD_DAY}
_PERIOD_NAMES: Final = {number: name for name, number in PERIODS.items()}


def describe_rule(rule: pb.AlertRule) -> str:
    """Return a rule's condition: ``Error rate above 5 % in 5 minutes, for 2 minutes``."""
    unit = METRICS.get(rule.metric, _UNKNOWN)
    side = "below" if rule.comparison == pb.COMPARISON_BELOW else "above"
    if rule.relative_to_previous:
        limit = f"{rule.threshold:g} times the window before"
    else:
        limit = with_unit(rule.threshold / unit.factor, unit)
    window = f" in {fmt.length(rule.window.ToTimedelta())}" if rule.metric not in _NOW_ONLY else ""
    lasting = f", for {fmt.length(rule.for_duration.ToTimedelta())}" if rule.for_duration.seconds else ""
    return f"{unit.label} {side} {limit}{window}{lasting}"


def with_unit(value: float, unit: Unit) -> str:
    """Return a threshold as people write it: ``5 %``, ``$12.50``."""
    number = f"{value:,.10g}"
    return f"${number}" if unit.words == "$" else f"{number} {unit.words}".strip()


def state_of(owner: pb.AlertRule | pb.Budget, open_alerts: Sequence[pb.Alert]) -> str:
    """Return the last state of a rule or budget, in a few words."""
    if owner.disabled:
        return "disabled"
    if owner.evaluation_error:
        return "cannot be evaluated"
    firing = sum(alert.state == pb.ALERT_STATE_FIRING for alert in open_alerts)
    if firing:
        return "firing" if firing == 1 else f"firing ({firing})"
    if open_alerts:
        return "pending"
    return "ok" if owner.HasField("evaluate_time") else "not evaluated yet"


def show_rules(rules: Sequence[pb.AlertRule], alerts: Sequence[pb.Alert]) -> None:
    """Show the rules; a click on one offers to delete it."""
    if not rules:
        st.caption("No rule yet. A rule watches one number, such as the error rate, each minute.")
        return
    rows = [
        {
            "State": state_of(rule, open_of(alerts, rule.alert_rule_id)),
            "Name": rule.display_name,
            "Condition": describe_rule(rule),
            "Severity": _SEVERITY_NAMES.get(rule.severity, "warning"),
            "Channels": len(rule.channel_ids),
            "Evaluated": optional_time(rule.evaluate_time),
            "Error": rule.evaluation_error,
        }
        for rule in rules
    ]
    column = st.column_config
    row = show_rows(
        rows,
        {
            "State": column.TextColumn(width=130),
            "Name": column.TextColumn(width=180),
            "Condition": column.TextColumn(width=330),
            "Severity": column.TextColumn(width=80),
            "Channels": column.NumberColumn(width=70),
            "Evaluated": time_column("Evaluated"),
            "Error": column.TextColumn(width="medium"),
        },
        key="rules",
        alt="Alert rules",
    )
    if row is not None:
        rule = rules[row]
        delete = partial(delete_alert_rule, rule.alert_rule_id)
        open_dialog(partial(_show_owner, rule.display_name, describe_rule(rule), "rule", delete))


def show_budgets(budgets: Sequence[BudgetWithStatus], alerts: Sequence[pb.Alert]) -> None:
    """Show the budgets with what is spent; a click on one offers to delete it."""
    if not budgets:
        st.caption("No budget yet. A budget warns before a day, a week or a month costs more than it may.")
        return
    column = st.column_config
    row = show_rows(
        [_budget_row(entry, alerts) for entry in budgets],
        {
            "State": column.TextColumn(width=130),
            "Name": column.TextColumn(width=180),
            "Amount": column.TextColumn(width=150),
            "Spent": column.TextColumn(width=110),
            "Share": column.ProgressColumn(
                format=fmt.PERCENT_COLUMN, min_value=0, max_value=100, width=140, help="Spent of the amount"
            ),
            "Forecast": column.TextColumn(
                width=110, help="At the end of the period, if it goes on as so far"
            ),
            "Not priced": column.NumberColumn(
                format="localized", width=80, help="Calls whose cost is unknown: they are not counted"
            ),
            "Evaluated": time_column("Evaluated"),
        },
        key="budgets",
        alt="Budgets",
    )
    if row is not None:
        budget = budgets[row].budget
        delete = partial(delete_budget, budget.budget_id)
        open_dialog(partial(_show_owner, budget.display_name, _amount(budget), "budget", delete))


def _amount(budget: pb.Budget) -> str:
    return f"{fmt.money(budget.amount_nano_usd)} a {_PERIOD_NAMES.get(budget.period, 'period')}"


def _budget_row(entry: BudgetWithStatus, alerts: Sequence[pb.Alert]) -> dict[str, object]:
    budget, status = entry
    forecast = status.forecast_nano_usd if status and status.HasField("forecast_nano_usd") else None
    return {
        "State": state_of(budget, open_of(alerts, budget.budget_id)),
        "Name": budget.display_name,
        "Amount": _amount(budget),
        "Spent": fmt.money(status.spent_nano_usd if status else None),
        "Share": min(_MAX_SHOWN_PERCENT, 100 * status.spent_nano_usd / budget.amount_nano_usd)
        if status
        else None,
        "Forecast": fmt.money(forecast),
        "Not priced": status.unpriced_count if status else None,
        "Evaluated": optional_time(budget.evaluate_time),
    }


def show_alerts(alerts: Sequence[pb.Alert], names: dict[str, str]) -> None:
    """Show the latest alerts. ``names`` are those of rules and budgets by id."""
    if not alerts:
        st.caption("No alert so far.")
        return
    rows = [
        {
            "State": _STATES.get(alert.state, "unknown"),
            "Of": names.get(alert.alert_rule_id or alert.budget_id, "deleted"),
            "What is wrong": alert.summary,
            "Since": optional_time(alert.start_time),
            "Resolved": optional_time(alert.resolve_time),
            "Notices": _deliveries(alert),
        }
        for alert in alerts
    ]
    column = st.column_config
    st.dataframe(
        rows,
        hide_index=True,
        row_height=ROW_PX,
        placeholder="",
        column_config={
            "State": column.TextColumn(width=90),
            "Of": column.TextColumn(width=180),
            "What is wrong": column.TextColumn(width="large"),
            "Since": time_column("Since"),
            "Resolved": time_column("Resolved"),
            "Notices": column.TextColumn(width=220),
        },
        alt="The latest alerts",
    )


def _deliveries(alert: pb.Alert) -> str:
    words = {
        pb.DELIVERY_STATE_WAITING: "waiting",
        pb.DELIVERY_STATE_DELIVERED: "delivered",
        pb.DELIVERY_STATE_UNDELIVERED: "undelivered",
    }
    counts: dict[str, int] = {}
    for delivery in alert.deliveries:
        word = words.get(delivery.state, "unknown")
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{number} {word}" for word, number in counts.items())


@st.dialog("Rule or budget", on_dismiss=forget_dialog)
def _show_owner(name: str, condition: str, kind: str, delete: Callable[[], None]) -> None:
    st.markdown(f"**{literal(name)}** · {literal(condition)}")
    st.markdown(
        f"Deleting the {literal(kind)} resolves its open alerts, which stay listed. "
        "**This cannot be undone.**"
    )
    with st.container(horizontal=True, gap="small"):
        if st.button("Cancel", key="dialog_cancel"):
            close_dialog()
        confirmed = role_button(
            "Delete", "admin", icon=":material/delete:", kind="primary", key="dialog_confirm"
        )
    if not confirmed:
        return
    try:
        delete()
    except ServerError as error:
        show_error(error, retry=False)
        return
    close_dialog(f"{kind.capitalize()} {name} deleted")

"""Forms for a new alert rule and a new budget."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import alert_service_pb2 as pb

from streamlit_app.components.access import role_button
from streamlit_app.components.dialogs import close_dialog, forget_dialog, open_dialog
from streamlit_app.components.errors import show_error
from streamlit_app.data.alerts import create_alert_rule, create_budget
from streamlit_app.data.connection import ServerError
from streamlit_app.panels.operations.alerts import METRICS, NANO, PERIODS, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MAX_NAME: Final = 100
_MINUTES: Final = {"5 minutes": 5, "15 minutes": 15, "1 hour": 60, "6 hours": 360, "1 day": 1440}
_LASTING: Final = {"at once": 0, "2 minutes": 2, "5 minutes": 5, "15 minutes": 15, "1 hour": 60}


def show_new_rule_button(channels: Sequence[pb.Channel]) -> None:
    """Show the button that opens the form of a rule."""
    if role_button("New rule", "admin", icon=":material/add_alert:", key="new_rule"):
        open_dialog(partial(_show_rule_form, channels))


def show_new_budget_button(channels: Sequence[pb.Channel]) -> None:
    """Show the button that opens the form of a budget."""
    if role_button("New budget", "admin", icon=":material/savings:", key="new_budget"):
        open_dialog(partial(_show_budget_form, channels))


@st.dialog("New alert rule", on_dismiss=forget_dialog)
def _show_rule_form(channels: Sequence[pb.Channel]) -> None:
    # Not in a form: the unit of the threshold follows the metric.
    name = st.text_input("Name", max_chars=_MAX_NAME, placeholder="Too many errors")
    metric = st.selectbox("Watch", list(METRICS), format_func=lambda metric: METRICS[metric].label)
    unit = METRICS[metric]
    left, right = st.columns(2)
    side = left.selectbox("Alert when it is", ["above", "below"])
    label = f"Threshold in {unit.words}" if unit.words else "Threshold"
    threshold = right.number_input(label, value=5.0, min_value=0.0, format="%g")
    left, right = st.columns(2)
    window = left.selectbox("In the last", list(_MINUTES))
    lasting = right.selectbox("Fires", list(_LASTING), help="How long it must hold before the alert fires")
    severity = st.selectbox("Severity", list(SEVERITIES))
    chosen = _choose_channels(channels)
    if not st.button("Make the rule", type="primary", key="dialog_confirm"):
        return
    rule = pb.AlertRule(
        display_name=name.strip(),
        metric=metric,
        comparison=pb.COMPARISON_BELOW if side == "below" else pb.COMPARISON_ABOVE,
        threshold=threshold * unit.factor,
        severity=SEVERITIES[severity],
        channel_ids=chosen,
    )
    if metric not in {pb.ALERT_METRIC_QUEUE_AGE, pb.ALERT_METRIC_DEAD_LETTERS}:
        rule.window.FromTimedelta(timedelta(minutes=_MINUTES[window]))
    rule.for_duration.FromTimedelta(timedelta(minutes=_LASTING[lasting]))
    _make(rule.display_name, partial(create_alert_rule, rule), "Rule")


@st.dialog("New budget", on_dismiss=forget_dialog)
def _show_budget_form(channels: Sequence[pb.Channel]) -> None:
    name = st.text_input("Name", max_chars=_MAX_NAME, placeholder="Everything, each month")
    left, right = st.columns(2)
    amount = left.number_input("Amount in $", value=100.0, min_value=0.01, format="%.2f")
    period = right.selectbox("Each", list(PERIODS))
    st.caption("Alerts at 50, 80 and 100 %, and when the forecast exceeds the amount. Days are those of UTC.")
    chosen = _choose_channels(channels)
    if not st.button("Make the budget", type="primary", key="dialog_confirm"):
        return
    budget = pb.Budget(
        display_name=name.strip(),
        period=PERIODS[period],
        amount_nano_usd=round(amount * NANO),
        channel_ids=chosen,
    )
    _make(budget.display_name, partial(create_budget, budget), "Budget")


def _choose_channels(channels: Sequence[pb.Channel]) -> list[str]:
    names = {channel.channel_id: channel.display_name for channel in channels}
    if not names:
        st.caption("There is no channel for notices: alerts are only listed here.")
        st.code("llm-observe alerts channels create --help", language="bash")
        return []
    return st.multiselect("Send notices to", list(names), format_func=lambda chosen: names[chosen])


def _make(name: str, make: Callable[[], None], kind: str) -> None:
    if not name:
        st.error("It needs a name.")
        return
    try:
        make()
    except ServerError as error:
        show_error(error, retry=False)
        return
    close_dialog(f"{kind} {name} made")

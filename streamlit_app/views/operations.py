"""Operations: is anything lost, stuck, or about to be?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import admin_service_pb2 as admin

from streamlit_app import clock
from streamlit_app.colours import palette
from streamlit_app.components.chart_data import show_data_button
from streamlit_app.components.charts import Look
from streamlit_app.components.choices import chosen_in_url, show_choice
from streamlit_app.components.dialogs import show_open_dialog
from streamlit_app.components.empty import read_with_placeholders
from streamlit_app.components.errors import show_connection_state
from streamlit_app.components.header import page_header
from streamlit_app.components.panel import panel
from streamlit_app.components.safe_text import literal
from streamlit_app.data import alerts as alert_data
from streamlit_app.data import operations as data
from streamlit_app.data.queue_history import HISTORY, KEPT
from streamlit_app.data.reads import read_together
from streamlit_app.data.server import check_health, list_projects, read_ledger, shown_project
from streamlit_app.panels.operations.alert_forms import show_new_budget_button, show_new_rule_button
from streamlit_app.panels.operations.alerts import show_alerts, show_budgets, show_rules
from streamlit_app.panels.operations.common import is_denied, show_denied, show_state
from streamlit_app.panels.operations.dead_letters import show_change_buttons, show_dead_letters
from streamlit_app.panels.operations.delivery import show_ledger_sum, show_producers, show_throughput
from streamlit_app.panels.operations.exports import show_exports, show_new_export_button, show_storage
from streamlit_app.panels.operations.keys import show_keys, show_new_key_button
from streamlit_app.panels.operations.queue import queue_rows, show_queue_cards, show_queue_history
from streamlit_app.panels.operations.verdict import show_verdict
from streamlit_app.state.window import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from llm_observe.v1 import alert_service_pb2 as alert_pb
    from llm_observe.v1 import health_service_pb2 as health_pb
    from llm_observe.v1.export_service_pb2 import Export
    from llm_observe.v1.filter_pb2 import TimeRange

    from streamlit_app.components.header import Header
    from streamlit_app.data.reads import Read, Reads
    from streamlit_app.data.server import LedgerEntries

_TABS: Final = {"delivery": "Delivery", "alerts": "Alerts", "storage": "Storage", "keys": "API keys"}
_DEAD_LETTERS: Final = {"waiting": "Waiting", "replayed": "Replayed", "discarded": "Discarded"}
_STATES: Final = {
    "waiting": admin.DEAD_LETTER_STATE_WAITING,
    "replayed": admin.DEAD_LETTER_STATE_REPLAYED,
    "discarded": admin.DEAD_LETTER_STATE_DISCARDED,
}
_ADMIN: Final = ("admin",)
"""Role that all of the page needs but the server's health, and alerts to look at."""
_PLACEHOLDERS: Final = (110, 210, 300)
_LISTED: Final = 50


def render() -> None:
    """Show the page; its numbers refresh by themselves."""
    header = page_header("Operations", "operations", filter_keys=())
    show_open_dialog()
    st.fragment(_show_all, run_every=header.refresh_s, key="operations")(header)


def _show_all(header: Header) -> None:
    view, now = header.view, clock.now()
    bounds = view.window.bounds(now)
    time_range = bounds.to_time_range(now)
    tab = chosen_in_url("tab", _TABS, "delivery")
    with read_with_placeholders("operations", view.window, _PLACEHOLDERS) as reads:
        health = reads.start("health", check_health)
        ledger = reads.start("ledger", lambda: read_ledger(time_range), roles=_ADMIN)
        part = _START[tab](reads)
    header.show_updated(health.read_time)
    if not show_connection_state(reads):
        return
    if health.value:
        show_verdict(health.value, ledger.value.sum() if ledger.value else None)
    show_choice(st.container(), "Part", "tab", _TABS, "delivery")
    if isinstance(part, _Delivery):
        look = Look(bounds, palette(), clock.viewer_zone(), repr(sorted(view.window.to_query().items())))
        _show_delivery(health, ledger, part, look, now)
    elif isinstance(part, _Alerts):
        _show_alerts(part)
    elif isinstance(part, _Storage):
        _show_storage(health, part, time_range)
    else:
        _show_keys(part, now)


# -- what each part reads, together with the rest ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Delivery:
    state: str
    stats: Read[admin.GetQueueStatsResponse]
    letters: Read[data.DeadLetters]


@dataclass(frozen=True, slots=True)
class _Alerts:
    rules: Read[list[alert_pb.AlertRule]]
    budgets: Read[list[alert_data.BudgetWithStatus]]
    opened: Read[list[alert_pb.Alert]]
    latest: Read[list[alert_pb.Alert]]
    channels: Read[list[alert_pb.Channel]]


@dataclass(frozen=True, slots=True)
class _Storage:
    exports: Read[list[Export]]


@dataclass(frozen=True, slots=True)
class _Keys:
    projects: Read[list[admin.Project]]


def _start_delivery(reads: Reads) -> _Delivery:
    state = chosen_in_url("dead", _DEAD_LETTERS, "waiting")
    return _Delivery(
        state,
        reads.start("queue", data.get_queue_stats, roles=_ADMIN),
        reads.start(f"letters {state}", lambda: data.list_dead_letters(_STATES[state]), roles=_ADMIN),
    )


def _start_alerts(reads: Reads) -> _Alerts:
    return _Alerts(
        rules=reads.start("rules", alert_data.list_alert_rules),
        budgets=reads.start("budgets", alert_data.list_budgets),
        opened=reads.start("open", alert_data.list_open_alerts),
        latest=reads.start("latest", lambda: alert_data.list_alerts(_LISTED)),
        channels=reads.start("channels", alert_data.list_channels),
    )


def _start_storage(reads: Reads) -> _Storage:
    return _Storage(reads.start("exports", lambda: data.list_exports(_LISTED), roles=_ADMIN))


def _start_keys(reads: Reads) -> _Keys:
    return _Keys(reads.start("projects", list_projects, roles=_ADMIN))


_START: Final[dict[str, Callable[[Reads], _Delivery | _Alerts | _Storage | _Keys]]] = {
    "delivery": _start_delivery,
    "alerts": _start_alerts,
    "storage": _start_storage,
    "keys": _start_keys,
}


# -- delivery ----------------------------------------------------------------------------------------------


def _show_delivery(
    health: Read[health_pb.CheckResponse],
    ledger: Read[LedgerEntries],
    part: _Delivery,
    look: Look,
    now: datetime,
) -> None:
    letters = part.letters
    if is_denied(ledger, letters):
        show_denied()
    else:
        _show_ledger(ledger, look)
    queue = health.value.queue if health.value and health.value.HasField("queue") else None
    if queue:
        show_queue_cards(queue, part.stats.value)
    left, right = st.columns(2)
    with left, panel("Queue", note="the last hour", key="queue") as row:
        if queue:
            show_data_button(row, "queue", lambda: queue_rows(HISTORY.last_hour(now)))
            last_hour = look._replace(bounds=Bounds(now - KEPT, now, KEPT))
            show_queue_history(HISTORY.last_hour(now), last_hour)
        else:
            st.caption("Redis does not answer, so the queue cannot be seen.")
    if is_denied(ledger, letters):
        return
    with right, panel("Throughput", note="logs by what became of them", key="throughput"):
        if show_state(ledger) and ledger.value:
            show_throughput(ledger.value.entries, look)
    _show_dead_letters(letters, part.state)
    with panel("Producers", note="what each one sent", key="producers"):
        if show_state(ledger) and ledger.value:
            show_producers(ledger.value, look.colours)


def _show_ledger(ledger: Read[LedgerEntries], look: Look) -> None:
    with panel("Delivery", note="every log that was recorded, and what became of it", key="ledger"):
        if show_state(ledger) and ledger.value:
            show_ledger_sum(ledger.value.sum(), look.colours)


def _show_dead_letters(letters: Read[data.DeadLetters], state: str) -> None:
    with panel("Dead letters", note="by reason; click one to look inside", key="dead_letters") as row:
        show_choice(row, "State", "dead", _DEAD_LETTERS, "waiting")
        if not show_state(letters) or letters.value is None:
            return
        if not letters.value.letters:
            words = (
                "None is waiting: every log that arrived could be stored." if state == "waiting" else "None."
            )
            st.caption(f":green[:material/check_circle:] {literal(words)}")
            return
        if state == "waiting":
            with row:
                show_change_buttons(letters.value.letters, key="all")
        show_dead_letters(letters.value, can_change=state == "waiting")


# -- alerts ------------------------------------------------------------------------------------------------


def _show_alerts(part: _Alerts) -> None:
    rules, budgets, opened, latest = part.rules, part.budgets, part.opened, part.latest
    if is_denied(rules, budgets, opened, latest, part.channels):
        show_denied()
        return
    known = part.channels.value or []
    with panel("Alert rules", note="evaluated each minute; click one to delete it", key="rules") as row:
        with row:
            show_new_rule_button(known)
        if show_state(rules) and rules.value is not None:
            show_rules(rules.value, opened.value or [])
    with panel("Budgets", note="click one to delete it", key="budgets") as row:
        with row:
            show_new_budget_button(known)
        if show_state(budgets) and budgets.value is not None:
            show_budgets(budgets.value, opened.value or [])
    with panel("Alerts", note="the latest, open and resolved", key="alerts"):
        if show_state(latest) and latest.value is not None:
            names = {rule.alert_rule_id: rule.display_name for rule in rules.value or []}
            names |= {entry.budget.budget_id: entry.budget.display_name for entry in budgets.value or []}
            show_alerts(latest.value, names)


# -- storage and keys --------------------------------------------------------------------------------------


def _show_storage(health: Read[health_pb.CheckResponse], part: _Storage, time_range: TimeRange) -> None:
    exports = part.exports
    with panel(
        "Exports", note="finished hours as Parquet files; click one for its files", key="exports"
    ) as row:
        if not is_denied(exports):
            with row:
                show_new_export_button(time_range)
        if show_state(exports) and exports.value is not None:
            show_exports(exports.value)
    with panel("Rollups and retention", key="storage"):
        if health.value:
            show_storage(health.value)


def _show_keys(part: _Keys, now: datetime) -> None:
    projects = part.projects
    if not show_state(projects) or not projects.value:
        return
    names = {project.project_id: project.display_name or project.project_id for project in projects.value}
    shown = shown_project(projects.value)
    default = shown.project_id if shown else next(iter(names))
    with panel("API keys", note="click one to revoke it", key="keys") as row:
        if len(names) > 1:
            show_choice(row, "Project", "project", names, default)
        project_id = chosen_in_url("project", names, default)
        with read_together("operations keys", project_id) as reads:
            keys = reads.start("keys", lambda: data.list_api_keys(project_id))
        if not show_state(keys) or keys.value is None:
            return
        with row:
            show_new_key_button(project_id)
        if keys.value:
            show_keys(keys.value, now)
        else:
            st.caption(
                "No key yet. A server on this machine needs none; one that others reach does, for each "
                "application that sends logs."
            )

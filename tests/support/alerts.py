"""Rules, budgets, channels and logs for tests of alerts; time is whatever a test says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from codec.rows import to_row
from storage import alert_channels, alerts
from storage.alert_rules import RULES, AlertRule, RuleSpec
from storage.alerts import AlertRow
from storage.budgets import BUDGETS, Budget, BudgetSpec
from storage.pool import Database
from tests.support.logs import make_log
from tests.support.packing import insert
from tests.support.prices import BOOK
from worker.notices.notifier import Notifier
from worker.notices.settings import NoticeSettings
from worker.tasks.evaluate_alerts import AlertEvaluator
from worker.tasks.send_notices import NoticeSender

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(second=30, microsecond=0)
"""The time of tests. Rollups of minutes are kept for what is two days old by the database's clock."""
STATES = ("pending", "firing", "resolved")


class Clock:
    """Says the time that it was set to."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def rule_spec(**fields: Any) -> RuleSpec:
    """Return a rule: more than half of the calls of five minutes fail."""
    values = {
        "display_name": "Errors",
        "metric": "error_rate",
        "comparison": "above",
        "threshold": 0.5,
        "relative_to_previous": False,
        "window_length": 5 * MINUTE,
        "group_by": "",
        "min_request_count": 0,
        "for_duration": timedelta(),
        "keep_duration": 5 * MINUTE,
        "repeat_interval": 4 * HOUR,
        "severity": "warning",
        "providers": None,
        "models": None,
        "operations": None,
        "environments": None,
        "channel_ids": (),
        "disabled": False,
    }
    return RuleSpec(**{**values, **fields})


def budget_spec(**fields: Any) -> BudgetSpec:
    """Return a budget: a thousand dollars a month."""
    values = {
        "display_name": "Budget",
        "period": "month",
        "time_zone": "UTC",
        "amount_nano_usd": 1000 * 10**9,
        "threshold_percents": (50, 80, 100),
        "forecast_disabled": False,
        "providers": None,
        "models": None,
        "operations": None,
        "environments": None,
        "channel_ids": (),
        "disabled": False,
    }
    return BudgetSpec(**{**values, **fields})


async def make_rule(database: Database, **fields: Any) -> AlertRule:
    return await RULES.create(database, "default", rule_spec(**fields))


async def make_budget(database: Database, **fields: Any) -> Budget:
    return await BUDGETS.create(database, "default", budget_spec(**fields))


async def make_channel(database: Database, url: str, **fields: Any) -> UUID:
    """Return the id of a new channel, by default a webhook."""
    values = {"display_name": "pager", "type": "webhook", "signing_secret": "sign" + "ing"}
    created = await alert_channels.create_channel(
        database, project_id="default", url=url, **{**values, **fields}
    )
    return created.channel_id


async def store_calls(
    database: Database,
    at: datetime,
    *,
    ok: int = 0,
    failed: int = 0,
    received: datetime | None = None,
    **fields: Any,
) -> None:
    """Store calls that began at a time."""
    outcomes = ["OUTCOME_SUCCESS"] * ok + ["OUTCOME_ERROR"] * failed
    rows = []
    for outcome in outcomes:
        log = make_log(**{**fields, "outcome": outcome})
        log.start_time.FromDatetime(at)
        rows.append(to_row(log, project_id="default", receive_time=received or at, prices=BOOK))
    await insert(database, rows)


async def no_queue() -> float:
    """Return the age of an empty queue."""
    return 0.0


def make_evaluator(database: Database) -> AlertEvaluator:
    return AlertEvaluator(database, no_queue)


def make_sender(database: Database, clock: Clock) -> NoticeSender:
    return NoticeSender(database, Notifier(NoticeSettings(allow_private=True), clock), clock)


async def all_alerts(database: Database) -> list[AlertRow]:
    """Return the alerts of the default project, oldest first."""
    rows = await alerts.list_alerts(
        database, "default", states=STATES, source_ids=None, before_id=None, row_limit=1000
    )
    return rows[::-1]

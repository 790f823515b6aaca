"""Evaluates rules and budgets: each once a minute, whoever else does it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from analytics.alerts.budgets import budget_labels, check_thresholds, read_budget
from analytics.alerts.rules import Observation, RuleReader, fingerprint_of, labels_of, summary_of
from analytics.alerts.states import Life, Policy, advance
from analytics.windows import MINUTE, floor
from storage.alert_rules import RULES
from storage.alerts import (
    AlertRow,
    add_notices,
    drop_alert,
    list_known_fingerprints,
    lock_open_alerts,
    put_alert,
    resolve_open_alerts,
)
from storage.budgets import BUDGETS
from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from analytics.alerts.budgets import BudgetAlert
    from analytics.alerts.states import Notice
    from storage.alert_rules import AlertRule
    from storage.budgets import Budget
    from storage.pool import Connection, Database

logger = structlog.get_logger("worker.tasks.evaluate_alerts")

_TIMEOUT_S: Final = 20.0
"""For a rule or a budget. What takes longer waits for the next minute, behind all others."""
_CONCURRENCY: Final = 3
"""Rules, and budgets, that are evaluated at once: a slow one does not hold up the others."""
_LIFE: Final = (
    "state",
    "start_time",
    "seen_time",
    "clear_time",
    "notice_time",
    "fire_time",
    "resolve_time",
)


class AlertEvaluator:
    """Evaluates what is due. Several do so side by side: each takes rules that no other has claimed.

    Args:
        database: Has rules, numbers and alerts.
        read_queue_age: Returns the age of the oldest message of the queue in seconds, 0 when it is empty.
    """

    def __init__(self, database: Database, read_queue_age: Callable[[], Awaitable[float]]) -> None:
        self._database = database
        self._reader = RuleReader(database, read_queue_age)

    async def evaluate(self, now: datetime) -> int:
        """Evaluate every rule and budget that was not evaluated this minute; return how many.

        Raises:
            StorageError: The database does not answer; the rest is due the next time.
        """
        counts = await asyncio.gather(*(self._evaluate_some(now) for _ in range(_CONCURRENCY)))
        return sum(counts)

    async def _evaluate_some(self, now: datetime) -> int:
        due, count = floor(now, MINUTE), 0
        while rule := await RULES.claim(self._database, now=now, due=due):
            error = await _guard(self._evaluate_rule(rule, now), rule.source_id)
            await RULES.set_error(self._database, rule.source_id, error)
            count += 1
        while budget := await BUDGETS.claim(self._database, now=now, due=due):
            error = await _guard(self._evaluate_budget(budget, now), budget.source_id)
            await BUDGETS.set_error(self._database, budget.source_id, error)
            count += 1
        return count

    async def _evaluate_rule(self, rule: AlertRule, now: datetime) -> None:
        evaluation = (
            None if rule.spec.disabled else await self._reader.evaluate(rule.project_id, rule.spec, now)
        )
        async with self._database.connection() as connection, connection.transaction():
            if not await RULES.lock_claimed(connection, rule):
                return
            if evaluation is None:
                await resolve_open_alerts(connection, rule.source_id, rule.spec.channel_ids, now=now)
            else:
                await _apply(connection, rule, evaluation.observations, now)

    async def _evaluate_budget(self, budget: Budget, now: datetime) -> None:
        alerts: Sequence[BudgetAlert] = ()
        if not budget.spec.disabled:
            status = await read_budget(self._database, budget.project_id, budget.spec, now)
            alerts = check_thresholds(budget.source_id, budget.spec, status)
        async with self._database.connection() as connection, connection.transaction():
            if await BUDGETS.lock_claimed(connection, budget):
                await _apply_budget(connection, budget, alerts, now)


async def _guard(evaluation: Awaitable[None], source_id: UUID) -> str:
    """Await an evaluation; return why it failed, or ''. One that fails does not stop the others."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await evaluation
    except TimeoutError:
        return f"the evaluation took longer than {_TIMEOUT_S:g} s"
    except StorageError as error:
        return str(error)
    except Exception as error:
        logger.exception("rule not evaluated", source_id=str(source_id))
        return f"the evaluation failed ({type(error).__name__})"
    return ""


# -- rules ---------------------------------------------------------------------------------------------


async def _apply(
    connection: Connection, rule: AlertRule, observations: Sequence[Observation], now: datetime
) -> None:
    """Advance every alert of a rule. A group that is not seen any more has no data."""
    rows = {row.group_value: row for row in await lock_open_alerts(connection, rule.source_id)}
    unseen = [Observation(group, None, 0, breached=False) for group in rows]
    seen = {each.group: each for each in (*unseen, *observations)}
    for group in sorted(seen):
        row, notice = _advance(rule, rows.get(group), seen[group], now)
        if row is not None:
            row = await put_alert(connection, row)
        elif group in rows:
            await drop_alert(connection, rows[group])
        if row is not None and notice:
            await add_notices(connection, row, rule.spec.channel_ids, notice, now=now)


def _advance(
    rule: AlertRule, row: AlertRow | None, observation: Observation, now: datetime
) -> tuple[AlertRow | None, Notice]:
    """Return what becomes of an alert; None where there is none, or a pending one is dropped."""
    life = Life(**{name: getattr(row, name) for name in _LIFE}) if row is not None else None
    life, notice = advance(life, _policy(rule), now, breached=observation.breached)
    if life is None:
        return None, notice
    row = row or _new_alert(rule, observation.group, now)
    if observation.value is not None:
        row = replace(row, value=observation.value, summary=summary_of(rule.spec, observation))
    labels = labels_of(rule.project_id, rule.spec, observation.group)
    return replace(row, labels=labels, **{name: getattr(life, name) for name in _LIFE}), notice


def _policy(rule: AlertRule) -> Policy:
    spec = rule.spec
    return Policy(
        for_duration=spec.for_duration,
        keep_duration=spec.keep_duration,
        repeat_interval=spec.repeat_interval,
    )


def _new_alert(rule: AlertRule, group: str, now: datetime) -> AlertRow:
    return AlertRow(
        alert_id=None,
        project_id=rule.project_id,
        source_id=rule.source_id,
        source="rule",
        fingerprint=fingerprint_of(rule.source_id, group),
        group_value=group,
        state="pending",
        labels={},
        summary="",
        value=0.0,
        start_time=now,
        seen_time=now,
    )


# -- budgets -------------------------------------------------------------------------------------------


async def _apply_budget(
    connection: Connection, budget: Budget, alerts: Sequence[BudgetAlert], now: datetime
) -> None:
    """Fire thresholds that are reached for the first time, and resolve those of another period or amount."""
    current = {alert.fingerprint for alert in alerts}
    for row in await lock_open_alerts(connection, budget.source_id):
        if row.fingerprint not in current:
            resolved = await put_alert(connection, replace(row, state="resolved", resolve_time=now))
            await add_notices(connection, resolved, budget.spec.channel_ids, "resolved", now=now)
    known = await list_known_fingerprints(connection, sorted(current))
    for alert in alerts:
        if alert.reached and alert.fingerprint not in known:
            fired = await put_alert(connection, _budget_row(budget, alert, now))
            await add_notices(connection, fired, budget.spec.channel_ids, "firing", now=now)


def _budget_row(budget: Budget, alert: BudgetAlert, now: datetime) -> AlertRow:
    return AlertRow(
        alert_id=None,
        project_id=budget.project_id,
        source_id=budget.source_id,
        source="budget",
        fingerprint=alert.fingerprint,
        group_value=alert.group,
        state="firing",
        labels=budget_labels(budget.project_id, budget.spec, alert.group),
        summary=alert.summary,
        value=alert.value,
        start_time=now,
        seen_time=now,
        notice_time=now,
        fire_time=now,
    )

"""Alert rules: kept, and claimed for evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final

from storage.alert_channels import MAX_PER_PROJECT, TooMany, lock_channels, lock_project
from storage.alerts import resolve_open_alerts
from storage.rollups import RollupFilter
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    import asyncpg

    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """What a person sets of a rule; alert_service.proto explains it. Enums are their words."""

    display_name: str
    metric: str
    comparison: str
    threshold: float
    relative_to_previous: bool
    window_length: timedelta
    group_by: str
    """A dimension of rollups, or ''."""
    min_request_count: int
    for_duration: timedelta
    keep_duration: timedelta
    repeat_interval: timedelta
    severity: str
    providers: Sequence[str] | None
    """None matches all; likewise the three that follow."""
    models: Sequence[str] | None
    operations: Sequence[str] | None
    environments: Sequence[str] | None
    channel_ids: Sequence[UUID]
    disabled: bool

    def rollup_filter(self, project_id: str) -> RollupFilter:
        """Return which rollups the rule reads."""
        return RollupFilter(
            project_id=project_id,
            providers=self.providers,
            models=self.models,
            operations=self.operations,
            environments=self.environments,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """A stored rule."""

    alert_rule_id: UUID
    project_id: str
    spec: RuleSpec
    create_time: datetime
    update_time: datetime
    evaluate_time: datetime | None
    evaluation_error: str


_SPEC: Final = tuple(field.name for field in fields(RuleSpec))
_OTHERS: Final = tuple(field.name for field in fields(AlertRule) if field.name != "spec")


def _to_rule(row: asyncpg.Record) -> AlertRule:
    spec = RuleSpec(**{name: row[name] for name in _SPEC})
    return AlertRule(spec=spec, **{name: row[name] for name in _OTHERS})


async def create_rule(database: Database, project_id: str, spec: RuleSpec) -> AlertRule:
    """Create a rule.

    Raises:
        ChannelMissing: The project lacks a channel that it names.
        TooMany: The project has MAX_PER_PROJECT.
    """
    async with database.connection() as connection, connection.transaction():
        await lock_project(connection, project_id)
        await lock_channels(connection, project_id, spec.channel_ids)
        row = await connection.fetch_one(
            _QUERIES["create_rule"], project_id=project_id, maximum=MAX_PER_PROJECT, **asdict(spec)
        )
    if row is None:
        raise TooMany
    return _to_rule(row)


async def get_rule(database: Database, project_id: str, rule_id: UUID) -> AlertRule | None:
    """Return a rule, or None."""
    row = await database.fetch_one(_QUERIES["get_rule"], project_id=project_id, alert_rule_id=rule_id)
    return _to_rule(row) if row is not None else None


async def list_rules(database: Database, project_id: str) -> list[AlertRule]:
    """Return a project's rules, oldest first."""
    rows = await database.fetch(_QUERIES["list_rules"], project_id=project_id)
    return [_to_rule(row) for row in rows]


async def update_rule(
    database: Database, project_id: str, rule_id: UUID, change: Callable[[RuleSpec], RuleSpec]
) -> AlertRule | None:
    """Change a rule as a function says, and return it; None if there is none.

    Raises:
        ChannelMissing: The project lacks a channel that it names.
    """
    key = {"project_id": project_id, "alert_rule_id": rule_id}
    async with database.connection() as connection, connection.transaction():
        row = await connection.fetch_one(_QUERIES["lock_rule"], **key)
        if row is None:
            return None
        spec = change(_to_rule(row).spec)
        await lock_channels(connection, project_id, spec.channel_ids)
        row = await connection.fetch_one(_QUERIES["update_rule"], **key, **asdict(spec))
    return _to_rule(row) if row is not None else None


async def delete_rule(database: Database, project_id: str, rule_id: UUID, *, now: datetime) -> bool:
    """Delete a rule and resolve its open alerts; False if there is none."""
    key = {"project_id": project_id, "alert_rule_id": rule_id}
    async with database.connection() as connection, connection.transaction():
        row = await connection.fetch_one(_QUERIES["lock_rule"], **key)
        if row is None:
            return False
        await resolve_open_alerts(connection, rule_id, row["channel_ids"], now=now)
        await connection.fetch(_QUERIES["delete_rule"], **key)
    return True


async def claim_rule(database: Database, *, now: datetime, due: datetime) -> AlertRule | None:
    """Return a rule that was last evaluated before ``due``, for nobody else to evaluate; or None."""
    row = await database.fetch_one(_QUERIES["claim_rule"], now=now, due=due)
    return _to_rule(row) if row is not None else None


async def lock_claimed_rule(connection: Connection, rule: AlertRule) -> bool:
    """Lock a rule that was claimed; False if it is gone, or was claimed again since."""
    row = await connection.fetch_one(
        _QUERIES["lock_claimed_rule"], source_id=rule.alert_rule_id, evaluate_time=rule.evaluate_time
    )
    return row is not None


async def set_rule_error(database: Database, rule_id: UUID, error: str) -> None:
    """Note why the last evaluation failed; '' when it did not."""
    await database.fetch(_QUERIES["set_rule_error"], source_id=rule_id, error=error)

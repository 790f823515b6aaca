"""Budgets: kept, and claimed for evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final

from storage.alert_channels import MAX_PER_PROJECT, TooMany, lock_channels, lock_project
from storage.alerts import resolve_open_alerts
from storage.rollups import RollupFilter
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSpec:
    """What a person sets of a budget; alert_service.proto explains it. Enums are their words."""

    display_name: str
    period: str
    time_zone: str
    """IANA name."""
    amount_nano_usd: int
    threshold_percents: Sequence[int]
    forecast_disabled: bool
    providers: Sequence[str] | None
    """None matches all; likewise the three that follow."""
    models: Sequence[str] | None
    operations: Sequence[str] | None
    environments: Sequence[str] | None
    channel_ids: Sequence[UUID]
    disabled: bool

    def rollup_filter(self, project_id: str) -> RollupFilter:
        """Return which rollups the budget counts."""
        return RollupFilter(
            project_id=project_id,
            providers=self.providers,
            models=self.models,
            operations=self.operations,
            environments=self.environments,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A stored budget."""

    budget_id: UUID
    project_id: str
    spec: BudgetSpec
    create_time: datetime
    update_time: datetime
    evaluate_time: datetime | None
    evaluation_error: str


_SPEC: Final = tuple(field.name for field in fields(BudgetSpec))
_OTHERS: Final = tuple(field.name for field in fields(Budget) if field.name != "spec")


def _to_budget(row: asyncpg.Record) -> Budget:
    spec = BudgetSpec(**{name: row[name] for name in _SPEC})
    return Budget(spec=spec, **{name: row[name] for name in _OTHERS})


async def create_budget(database: Database, project_id: str, spec: BudgetSpec) -> Budget:
    """Create a budget.

    Raises:
        ChannelMissing: The project lacks a channel that it names.
        TooMany: The project has MAX_PER_PROJECT.
    """
    async with database.connection() as connection, connection.transaction():
        await lock_project(connection, project_id)
        await lock_channels(connection, project_id, spec.channel_ids)
        row = await connection.fetch_one(
            _QUERIES["create_budget"], project_id=project_id, maximum=MAX_PER_PROJECT, **asdict(spec)
        )
    if row is None:
        raise TooMany
    return _to_budget(row)


async def get_budget(database: Database, project_id: str, budget_id: UUID) -> Budget | None:
    """Return a budget, or None."""
    row = await database.fetch_one(_QUERIES["get_budget"], project_id=project_id, budget_id=budget_id)
    return _to_budget(row) if row is not None else None


async def list_budgets(database: Database, project_id: str) -> list[Budget]:
    """Return a project's budgets, oldest first."""
    rows = await database.fetch(_QUERIES["list_budgets"], project_id=project_id)
    return [_to_budget(row) for row in rows]


async def update_budget(
    database: Database, project_id: str, budget_id: UUID, change: Callable[[BudgetSpec], BudgetSpec]
) -> Budget | None:
    """Change a budget as a function says, and return it; None if there is none.

    Raises:
        ChannelMissing: The project lacks a channel that it names.
    """
    key = {"project_id": project_id, "budget_id": budget_id}
    async with database.connection() as connection, connection.transaction():
        row = await connection.fetch_one(_QUERIES["lock_budget"], **key)
        if row is None:
            return None
        spec = change(_to_budget(row).spec)
        await lock_channels(connection, project_id, spec.channel_ids)
        row = await connection.fetch_one(_QUERIES["update_budget"], **key, **asdict(spec))
    return _to_budget(row) if row is not None else None


async def delete_budget(database: Database, project_id: str, budget_id: UUID, *, now: datetime) -> bool:
    """Delete a budget and resolve its open alerts; False if there is none."""
    key = {"project_id": project_id, "budget_id": budget_id}
    async with database.connection() as connection, connection.transaction():
        row = await connection.fetch_one(_QUERIES["lock_budget"], **key)
        if row is None:
            return False
        await resolve_open_alerts(connection, budget_id, row["channel_ids"], now=now)
        await connection.fetch(_QUERIES["delete_budget"], **key)
    return True


async def claim_budget(database: Database, *, now: datetime, due: datetime) -> Budget | None:
    """Return a budget that was last evaluated before ``due``, for nobody else to evaluate; or None."""
    row = await database.fetch_one(_QUERIES["claim_budget"], now=now, due=due)
    return _to_budget(row) if row is not None else None


async def lock_claimed_budget(connection: Connection, budget: Budget) -> bool:
    """Lock a budget that was claimed; False if it is gone, or was claimed again since."""
    row = await connection.fetch_one(
        _QUERIES["lock_claimed_budget"], source_id=budget.budget_id, evaluate_time=budget.evaluate_time
    )
    return row is not None


async def set_budget_error(database: Database, budget_id: UUID, error: str) -> None:
    """Note why the last evaluation failed; '' when it did not."""
    await database.fetch(_QUERIES["set_budget_error"], source_id=budget_id, error=error)

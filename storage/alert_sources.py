"""What raises alerts, rules and budgets: kept, and claimed for evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Generic, TypeVar

from storage.alert_channels import MAX_PER_PROJECT, TooMany, lock_channels, lock_project
from storage.alerts import resolve_open_alerts
from storage.rollups import RollupFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from storage.pool import Connection, Database
    from storage.sql import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """What a person sets of each; alert_service.proto explains it. Enums are their words."""

    display_name: str
    providers: Sequence[str] | None
    """None matches all; likewise the three that follow."""
    models: Sequence[str] | None
    operations: Sequence[str] | None
    environments: Sequence[str] | None
    channel_ids: Sequence[UUID]
    disabled: bool

    def rollup_filter(self, project_id: str) -> RollupFilter:
        """Return which rollups are read."""
        return RollupFilter(
            project_id=project_id,
            providers=self.providers,
            models=self.models,
            operations=self.operations,
            environments=self.environments,
        )


Spec = TypeVar("Spec", bound=SourceSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSource(Generic[Spec]):
    """A stored rule or budget."""

    source_id: UUID
    project_id: str
    spec: Spec
    create_time: datetime
    update_time: datetime
    evaluate_time: datetime | None
    evaluation_error: str


_OTHERS = tuple(field.name for field in fields(AlertSource) if field.name != "spec")


class AlertSources(Generic[Spec]):
    """The rows of a table of rules or budgets.

    Args:
        queries: Those of the table, by name; each returns whole rows, with their key as source_id.
        spec: What a person sets, with a column for each field.
    """

    def __init__(self, queries: Mapping[str, Query], spec: type[Spec]) -> None:
        self._queries = queries
        self._spec = spec
        self._fields = tuple(field.name for field in fields(spec))

    async def create(self, database: Database, project_id: str, spec: Spec) -> AlertSource[Spec]:
        """Create one.

        Raises:
            ChannelMissing: The project lacks a channel that it names.
            TooMany: The project has MAX_PER_PROJECT.
        """
        async with database.connection() as connection, connection.transaction():
            await lock_project(connection, project_id)
            await lock_channels(connection, project_id, spec.channel_ids)
            row = await connection.fetch_one(
                self._queries["create"], project_id=project_id, maximum=MAX_PER_PROJECT, **asdict(spec)
            )
        if row is None:
            raise TooMany
        return self._read(row)

    async def get(self, database: Database, project_id: str, source_id: UUID) -> AlertSource[Spec] | None:
        """Return one, or None."""
        row = await database.fetch_one(self._queries["get"], project_id=project_id, source_id=source_id)
        return self._read(row) if row is not None else None

    async def list(self, database: Database, project_id: str) -> Sequence[AlertSource[Spec]]:
        """Return a project's, oldest first."""
        rows = await database.fetch(self._queries["list"], project_id=project_id)
        return [self._read(row) for row in rows]

    async def update(
        self, database: Database, project_id: str, source_id: UUID, change: Callable[[Spec], Spec]
    ) -> AlertSource[Spec] | None:
        """Change one as a function says, and return it; None if there is none.

        Raises:
            ChannelMissing: The project lacks a channel that it names.
        """
        key = {"project_id": project_id, "source_id": source_id}
        async with database.connection() as connection, connection.transaction():
            row = await connection.fetch_one(self._queries["lock"], **key)
            if row is None:
                return None
            spec = change(self._read(row).spec)
            await lock_channels(connection, project_id, spec.channel_ids)
            row = await connection.fetch_one(self._queries["update"], **key, **asdict(spec))
        return self._read(row) if row is not None else None

    async def delete(self, database: Database, project_id: str, source_id: UUID, *, now: datetime) -> bool:
        """Delete one and resolve its open alerts; False if there is none."""
        key = {"project_id": project_id, "source_id": source_id}
        async with database.connection() as connection, connection.transaction():
            row = await connection.fetch_one(self._queries["lock"], **key)
            if row is None:
                return False
            await resolve_open_alerts(connection, source_id, row["channel_ids"], now=now)
            await connection.fetch(self._queries["delete"], **key)
        return True

    async def claim(self, database: Database, *, now: datetime, due: datetime) -> AlertSource[Spec] | None:
        """Return one that was last evaluated before ``due``, for nobody else to evaluate; or None."""
        row = await database.fetch_one(self._queries["claim"], now=now, due=due)
        return self._read(row) if row is not None else None

    async def lock_claimed(self, connection: Connection, source: AlertSource[Spec]) -> bool:
        """Lock one that was claimed; False if it is gone, or was claimed again since."""
        row = await connection.fetch_one(
            self._queries["lock_claimed"], source_id=source.source_id, evaluate_time=source.evaluate_time
        )
        return row is not None

    async def set_error(self, database: Database, source_id: UUID, error: str) -> None:
        """Note why the last evaluation failed; '' when it did not."""
        await database.fetch(self._queries["set_error"], source_id=source_id, error=error)

    def _read(self, row: asyncpg.Record) -> AlertSource[Spec]:
        spec = self._spec(**{name: row[name] for name in self._fields})
        return AlertSource(spec=spec, **{name: row[name] for name in _OTHERS})

"""Alerts, and the notices that the same transaction puts into the outbox."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from storage.pool import Connection, Database

_QUERIES: Final = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """A row of alerts."""

    alert_id: UUID | None
    """None for one that is not stored yet."""
    project_id: str
    source_id: UUID
    source: str
    """``rule`` or ``budget``."""
    fingerprint: str
    group_value: str
    state: str
    """``pending``, ``firing`` or ``resolved``."""
    labels: Mapping[str, str]
    summary: str
    value: float
    start_time: datetime
    seen_time: datetime
    """When it was last evaluated."""
    clear_time: datetime | None = None
    """Since when a firing one's condition has not held; None while it does."""
    notice_time: datetime | None = None
    """When its last notice was made."""
    fire_time: datetime | None = None
    resolve_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a notice."""

    alert_id: UUID
    channel_id: UUID
    status: str
    state: str
    """``waiting``, ``delivered`` or ``undelivered``."""
    attempt_count: int
    last_error: str


def _to_alert(row: asyncpg.Record) -> AlertRow:
    return AlertRow(**{**row, "labels": json.loads(row["labels"])})


async def lock_open_alerts(connection: Connection, source_id: UUID) -> list[AlertRow]:
    """Return the open alerts of a rule or budget, for this transaction to change."""
    rows = await connection.fetch(_QUERIES["lock_open_alerts"], source_id=source_id)
    return [_to_alert(row) for row in rows]


async def list_known_fingerprints(connection: Connection, fingerprints: Sequence[str]) -> Collection[str]:
    """Return which of some alerts exist or existed."""
    rows = await connection.fetch(_QUERIES["list_known_fingerprints"], fingerprints=fingerprints)
    return {row["fingerprint"] for row in rows}


async def put_alert(connection: Connection, alert: AlertRow) -> AlertRow:
    """Store an alert, new or changed, and return it with its id.

    Raises:
        RowExists: Another one with its fingerprint is open.
    """
    row = await connection.fetch_one(
        _QUERIES["put_alert"], **{**asdict(alert), "labels": json.dumps(dict(alert.labels))}
    )
    assert row is not None  # noqa: S101 - it returns the row that it wrote
    return replace(alert, alert_id=row["alert_id"])


async def drop_alert(connection: Connection, alert: AlertRow) -> None:
    """Delete an alert that has never fired."""
    await connection.fetch(_QUERIES["drop_alert"], alert_id=alert.alert_id)


async def add_notices(
    connection: Connection, alert: AlertRow, channel_ids: Sequence[UUID], status: str, *, now: datetime
) -> None:
    """Put a notice for each channel into the outbox, as the alert is stored now."""
    await connection.fetch(
        _QUERIES["add_notices"],
        alert_id=alert.alert_id,
        channel_ids=list(channel_ids),
        status=status,
        now=now,
    )


async def resolve_open_alerts(
    connection: Connection, source_id: UUID, channel_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Resolve the open alerts of a rule or budget, with notices; those that have not fired are dropped."""
    for alert in await lock_open_alerts(connection, source_id):
        if alert.state == "pending":
            await drop_alert(connection, alert)
        else:
            resolved = replace(alert, state="resolved", resolve_time=now)
            await put_alert(connection, resolved)
            await add_notices(connection, resolved, channel_ids, "resolved", now=now)


async def list_alerts(
    database: Database,
    project_id: str,
    *,
    states: Sequence[str],
    source_ids: Sequence[UUID] | None,
    before_id: UUID | None,
    row_limit: int,
) -> list[AlertRow]:
    """Return alerts, newest first; ``source_ids`` are rules and budgets, None for all."""
    rows = await database.fetch(
        _QUERIES["list_alerts"],
        project_id=project_id,
        states=states,
        source_ids=source_ids,
        before_id=before_id,
        row_limit=row_limit,
    )
    return [_to_alert(row) for row in rows]


async def list_deliveries(database: Database, alerts: Sequence[AlertRow]) -> list[Delivery]:
    """Return what became of the newest notice of each alert to each channel."""
    rows = await database.fetch(_QUERIES["list_deliveries"], alert_ids=[alert.alert_id for alert in alerts])
    return [Delivery(**row) for row in rows]


async def forget_alerts(database: Database, *, before: datetime) -> None:
    """Delete alerts that were resolved before a time, and messages that were done with."""
    await database.fetch(_QUERIES["forget_alerts"], before=before)
    await database.fetch(_QUERIES["forget_messages"], before=before)

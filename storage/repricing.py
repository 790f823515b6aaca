"""Prices of stored logs, changed with the rollups that count them.

A price is set under the locks that writers of logs take, in their order, and only where the log has not been
corrected since it was read. receive_time stays: a correction still wins, and a redelivery is still stale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from storage.pool import Database

_QUERIES: Final = load_queries(__file__)


class LogPart(NamedTuple):
    """The logs of a project in a UTC day."""

    project_id: str
    day: datetime
    log_count: int


class PricedLog(NamedTuple):
    """What decides the price of a stored log, and its price."""

    log_id: UUID
    start_time: datetime
    receive_time: datetime
    provider: str
    model: str
    service_tier: str
    operation: str
    response_model: str
    input_token_count: int | None
    output_token_count: int | None
    cache_read_token_count: int | None
    cache_write_token_count: int | None
    cache_write_1h_token_count: int | None
    audio_input_token_count: int | None
    audio_output_token_count: int | None
    cost_nano_usd: int | None
    price_version: str


class NewPrice(NamedTuple):
    """A log as it was read, and the price that it should have."""

    log: PricedLog
    cost_nano_usd: int | None
    price_version: str


class Repriced(NamedTuple):
    """Logs whose price has changed, and their known costs in nano-dollars."""

    log_count: int = 0
    cost_before: int = 0
    cost_after: int = 0

    def plus(self, other: Repriced) -> Repriced:
        """Return the sum of both."""
        return Repriced(*(mine + its for mine, its in zip(self, other, strict=True)))


async def list_parts(
    database: Database, *, first_day: date | None, last_day: date | None, project_id: str
) -> list[LogPart]:
    """Return the parts that have logs, oldest days first.

    Args:
        database: Where the logs are.
        first_day: In UTC; None means the oldest.
        last_day: Inclusive; None means the newest.
        project_id: Empty means all projects.
    """
    rows = await database.fetch(
        _QUERIES["list_parts"], first_day=first_day, last_day=last_day, project_id=project_id
    )
    return [LogPart(*row.values()) for row in rows]


async def page_logs(database: Database, part: LogPart, page_size: int) -> AsyncIterator[list[PricedLog]]:
    """Yield the logs of a part, some at a time, in order of time."""
    after_time, after_id = None, None
    while True:
        rows = await database.fetch(
            _QUERIES["page_logs"],
            project_id=part.project_id,
            day=part.day,
            after_time=after_time,
            after_id=after_id,
            row_limit=page_size,
        )
        if rows:
            yield [PricedLog(*row.values()) for row in rows]
        if len(rows) < page_size:
            return
        after_time, after_id = rows[-1]["start_time"], rows[-1]["log_id"]


async def set_prices(database: Database, project_id: str, prices: Sequence[NewPrice]) -> Repriced:
    """Set prices of logs of a project in one transaction, except of logs that were corrected meanwhile.

    Raises:
        StorageUnavailable: Nothing was changed; try again.
    """
    log_ids = [price.log.log_id for price in prices]
    async with database.connection() as connection, connection.transaction():
        await connection.fetch(_QUERIES["lock_writes"])
        await connection.fetch(_QUERIES["lock_keys"], log_ids=log_ids)
        row = await connection.fetch_one(
            _QUERIES["set_prices"],
            project_id=project_id,
            log_ids=log_ids,
            start_times=[price.log.start_time for price in prices],
            receive_times=[price.log.receive_time for price in prices],
            costs=[price.cost_nano_usd for price in prices],
            versions=[price.price_version for price in prices],
        )
    return Repriced(*map(int, row.values())) if row is not None else Repriced()

"""Stored logs get the prices of today's book."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from analytics.pricing.rates import USAGE_FIELDS, Usage
from storage.copy_format import EPOCH, MICROSECOND
from storage.repricing import NewPrice, Repriced, list_parts, page_logs, set_prices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from analytics.pricing.book import PriceBook
    from analytics.pricing.rates import Price
    from storage.pool import Database
    from storage.repricing import PricedLog

PAGE_SIZE: Final = 5_000
"""Logs that are read at once, and at most written in one transaction."""


class LogRange(NamedTuple):
    """Which logs."""

    first_day: date | None = None
    """In UTC; None means the oldest."""
    last_day: date | None = None
    """Inclusive; None means the newest."""
    project_id: str = ""
    """Empty means all projects."""


class Progress(NamedTuple):
    """How far repricing is."""

    seen: int
    """Logs looked at."""
    total: int
    """Logs to look at, as counted in the beginning."""
    repriced: Repriced


async def reprice(
    database: Database,
    book: PriceBook,
    which: LogRange,
    *,
    dry_run: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
    page_size: int = PAGE_SIZE,
) -> Progress:
    """Give logs the prices of a book, with the rollups that count them; repeating goes on where it ended.

    Args:
        database: Where the logs are.
        book: The prices.
        which: Logs to look at.
        dry_run: Whether to count only.
        report: Called after each page.
        page_size: Logs that are read at once.

    Raises:
        StorageUnavailable: What was repriced until then stays; try again.
    """
    parts = await list_parts(database, **which._asdict())
    progress = Progress(0, sum(part.log_count for part in parts), Repriced())
    for part in parts:
        async for logs in page_logs(database, part, page_size):
            changes = find_changes(book, logs)
            repriced = _count(changes)
            if changes and not dry_run:
                repriced = await set_prices(database, part.project_id, changes)
            progress = progress._replace(
                seen=progress.seen + len(logs), repriced=progress.repriced.plus(repriced)
            )
            report(progress)
    return progress


def find_changes(book: PriceBook, logs: Sequence[PricedLog]) -> list[NewPrice]:
    """Return the logs whose price is another by now, with that price."""
    prices = [NewPrice(log, *_price_of(book, log)) for log in logs]
    return [each for each in prices if each[1:] != (each.log.cost_nano_usd, each.log.price_version)]


def _price_of(book: PriceBook, log: PricedLog) -> Price:
    return book.price(
        log.provider,
        log.model,
        (log.start_time - EPOCH) // MICROSECOND,
        Usage(*(getattr(log, name) for name in USAGE_FIELDS)),
        service_tier=log.service_tier,
        operation=log.operation,
        response_model=log.response_model,
    )


def _count(changes: Sequence[NewPrice]) -> Repriced:
    return Repriced(
        len(changes),
        sum(change.log.cost_nano_usd or 0 for change in changes),
        sum(change.cost_nano_usd or 0 for change in changes),
    )

"""`llm-observe reprice`: gives stored logs today's prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from stack.cli.database import with_database
from stack.cli.output import progress
from telemetry.settings import load_settings

if TYPE_CHECKING:
    from datetime import datetime

    from analytics.pricing.repricing import LogRange, Progress
    from storage.pool import Database

_TIMEOUT_S: Final = 3600.0
_NANO: Final = 1_000_000_000


class _Day(click.DateTime):
    name = "day"

    def __init__(self) -> None:
        super().__init__(formats=["%Y-%m-%d"])


@click.command()
@click.option(
    "--from", "first_day", type=_Day(), help="First UTC day, such as 2026-01-31; by default the oldest."
)
@click.option("--to", "last_day", type=_Day(), help="Last UTC day; by default the newest.")
@click.option("--project", "project_id", default="", help="Only logs of this project; by default of all.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
def reprice(
    first_day: datetime | None,
    last_day: datetime | None,
    project_id: str,
    dry_run: bool,  # noqa: FBT001 - click passes flags by name
) -> None:
    """Give stored logs the prices of today.

    Prices are those of this release and of LLM_OBSERVE_PRICE_FILE: set it as for the workers. May run beside
    them, be interrupted, and be repeated: it goes on.
    """
    # genai-prices takes half a second to import, which no other command should wait for.
    from analytics.pricing.repricing import LogRange  # noqa: PLC0415

    if first_day and last_day and first_day > last_day:
        raise click.UsageError("--from is after --to")
    which = LogRange(first_day and first_day.date(), last_day and last_day.date(), project_id)
    ended = with_database(lambda database: _reprice(database, which, dry_run=dry_run), timeout_s=_TIMEOUT_S)
    click.echo(_summary(ended, dry_run=dry_run))


async def _reprice(database: Database, which: LogRange, *, dry_run: bool) -> Progress:
    from analytics.pricing import repricing  # noqa: PLC0415 - as above
    from analytics.pricing.settings import PricingSettings  # noqa: PLC0415 - as above

    book = load_settings(PricingSettings).make_price_book()
    with progress("repricing") as update:
        return await repricing.reprice(
            database,
            book,
            which,
            dry_run=dry_run,
            report=lambda now: update(now.seen, now.total),
        )


def _summary(ended: Progress, *, dry_run: bool) -> str:
    changed = ended.repriced
    verb = "would get" if dry_run else "got"
    return (
        f"{changed.log_count} of {ended.seen} logs {verb} another price; "
        f"their known cost: {_dollars(changed.cost_before)} before, {_dollars(changed.cost_after)} after"
    )


def _dollars(nano: int) -> str:
    """Return whole nano-dollars as US dollars, exactly, with two decimal places at least."""
    dollars, rest = divmod(nano, _NANO)
    places = f"{rest:09}".rstrip("0")
    return f"${dollars:,}.{places:0<2}"

"""`llm-observe rollups`: are the numbers right?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from analytics.checks import verify_rollups
from stack.cli.database import with_database
from stack.cli.output import json_option, print_json, print_table, progress
from storage.rollup_checks import RollupDifference
from storage.rollup_merges import count_again, list_days

if TYPE_CHECKING:
    from storage.pool import Database

_TIMEOUT_S: Final = 3600.0
_MAX_SHOWN: Final = 50


@click.group()
def rollups() -> None:
    """Check and repair the rollups."""


@rollups.command()
@json_option
def verify(*, as_json: bool) -> None:
    """Recompute all rollups from the raw logs.

    Lists those that differ, and exits with status 1 if any does.
    """
    differences = with_database(verify_rollups, timeout_s=_TIMEOUT_S)
    if as_json:
        print_json([row._asdict() for row in differences])
        raise SystemExit(bool(differences))
    if differences:
        shown = differences[:_MAX_SHOWN]
        print_table(RollupDifference._fields, ([str(value) for value in row] for row in shown))
    click.echo(f"{len(differences)} rollups differ")
    if differences:
        raise SystemExit(1)


@rollups.command()
def rebuild() -> None:
    """Count all logs again, day by day. Days whose logs retention has dropped stay as they are."""
    days = with_database(_rebuild, timeout_s=_TIMEOUT_S)
    click.echo(f"counted {days} days again")


async def _rebuild(database: Database) -> int:
    async with database.connection() as connection:
        days = await list_days(connection)
    with progress("counting again", len(days)) as update:
        for done, day in enumerate(days, 1):
            await count_again(database, day)
            update(done, None)
    return len(days)

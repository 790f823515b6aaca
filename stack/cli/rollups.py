"""`llm-observe rollups`: checks the hourly numbers."""

from __future__ import annotations

from typing import Final

import click

from stack.cli.database import with_database
from stack.cli.output import print_table
from storage.rollups import verify_rollups

_TIMEOUT_S: Final = 3600.0
_MAX_SHOWN: Final = 50
_KEY: Final = ("project_id", "hour", "provider", "model", "operation")


@click.group()
def rollups() -> None:
    """Check the hourly rollups."""


@rollups.command()
def verify() -> None:
    """Recompute all rollups from the raw logs.

    Lists those that differ, and exits with status 1 if any does.
    """
    differences = with_database(verify_rollups, timeout_s=_TIMEOUT_S)
    if differences.rollups:
        columns = (*_KEY, "expected_count", "rollup_count")
        shown = differences.rollups[:_MAX_SHOWN]
        print_table(columns, ([str(getattr(row, column)) for column in columns] for row in shown))
    click.echo(f"{len(differences.rollups)} rollups and {len(differences.sketches)} sketch buckets differ")
    if differences.rollups or differences.sketches:
        raise SystemExit(1)

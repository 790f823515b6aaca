"""The command line's connection to the database."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, TypeVar

import click

from stack.data_dir import DataDir
from stack.errors import StackError
from storage.migrate import migrate as migrate_database
from storage.pool import Database
from storage.settings import StorageSettings
from telemetry.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_TIMEOUT_S = 60.0

_Result = TypeVar("_Result")


def with_database(
    work: Callable[[Database], Awaitable[_Result]], *, timeout_s: float = _TIMEOUT_S
) -> _Result:
    """Run ``work`` with an open database and return its result; a query may take timeout_s seconds.

    Raises:
        StackError: No database is known.
    """

    async def run() -> _Result:
        database = Database(_storage_settings(timeout_s))
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def _storage_settings(timeout_s: float = _TIMEOUT_S) -> StorageSettings:
    """Return the settings of the environment's database, or else of the one that is running."""
    if os.environ.get("DATABASE_URL"):
        return load_settings(StorageSettings).model_copy(update={"timeout_s": timeout_s})
    url = DataDir.from_env().read_state().get("database_url")
    if not url:
        raise StackError("no database is configured: run `llm-observe up`, or set DATABASE_URL")
    return StorageSettings(database_url=url, timeout_s=timeout_s)


@click.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    applied = asyncio.run(migrate_database(_storage_settings()))
    click.echo(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")

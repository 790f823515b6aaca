"""The command line's connection to the database."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, TypeVar

import click

from stack.data_dir import DataDir
from stack.errors import StackError
from storage.errors import StorageUnavailable
from storage.migrate import check_schema
from storage.migrate import migrate as migrate_database
from storage.pool import Database
from storage.settings import StorageSettings
from telemetry.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_TIMEOUT_S = 60.0
_RETRY_EVERY_S = 0.5
_MIN_POOL_SIZE = 4
"""Commands hold locks on some connections while they work on another."""

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
        settings = load_settings(StorageSettings)
        pool_size = max(settings.pool_size, _MIN_POOL_SIZE)
        return settings.model_copy(update={"timeout_s": timeout_s, "pool_size": pool_size})
    url = DataDir.from_env().read_state().get("database_url")
    if not url:
        raise StackError("no database is configured: run `llm-observe up`, or set DATABASE_URL")
    return load_settings(StorageSettings, database_url=url, timeout_s=timeout_s)


@click.command()
@click.option(
    "--wait",
    "wait_s",
    default=0.0,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long to wait for a database that cannot be reached yet or, with --check, is not migrated yet.",
)
@click.option("--check", is_flag=True, help="Change nothing; succeed if the schema fits this release.")
def migrate(wait_s: float, check: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Bring the database's schema up to date."""
    settings = _storage_settings()
    attempt = _check if check else _migrate
    applied = asyncio.run(_retry(lambda: attempt(settings), wait_s))
    click.echo(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")


async def _migrate(settings: StorageSettings) -> list[str]:
    return await migrate_database(settings, report=lambda line: click.echo(f"waiting: {line}", err=True))


async def _check(settings: StorageSettings) -> list[str]:
    """Raise StorageUnavailable unless the schema fits this release; nothing is applied."""
    database = Database(settings)
    try:
        await check_schema(database)
    finally:
        await database.close()
    return []


async def _retry(attempt: Callable[[], Awaitable[_Result]], wait_s: float) -> _Result:
    """Attempt it again and again for wait_s seconds while the database is unavailable."""
    deadline = time.monotonic() + wait_s
    reported = ""
    while True:
        try:
            return await attempt()
        except StorageUnavailable as error:
            if time.monotonic() + _RETRY_EVERY_S > deadline:
                raise
            if str(error) != reported:
                reported = str(error)
                click.echo(f"waiting: {reported}", err=True)
        await asyncio.sleep(_RETRY_EVERY_S)

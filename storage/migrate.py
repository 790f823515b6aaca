"""Versioned migrations: plain numbered .sql files, forward only, checked by hash, one runner at a time.

A file is one transaction. It waits for no lock longer than two seconds, as others would wait behind it; then
it is rolled back, and tried again. A file whose first line is ``-- migrate: concurrently`` declares indexes
that are built beside writers, outside a transaction (storage.concurrent_indexes).
See docs/decisions/0026-migrations.md.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg

from storage.concurrent_indexes import build_index, parse_indexes
from storage.errors import SchemaMismatch, StorageError, StorageUnavailable, storage_errors
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from storage.pool import Database
    from storage.settings import StorageSettings

_QUERIES: Final = load_queries(__file__)
_FOLDER: Final = Path(__file__).parent / "migrations"
_CONCURRENTLY: Final = "-- migrate: concurrently"
_LOCK: Final = 7_215_003
_RUNNER_PAUSE_S: Final = 0.5
_RUNNER_ATTEMPTS: Final = 1200
"""How often a lock that another runner holds is asked for: ten minutes in all."""
_LOCK_TIMEOUT: Final = "2s"
"""Longest that writers may wait behind a migration that waits for a lock."""
_LOCK_ATTEMPTS: Final = 60
_MAX_PAUSE_S: Final = 10.0
_MIN_VERSION: Final = 180_000
_LOCK_ERRORS: Final = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)


class MigrationError(StorageError):
    """The schema cannot be brought up to date; the message says why."""


class Migration(NamedTuple):
    """A file of migrations."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """The digest by which a changed file is recognised, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def is_concurrent(self) -> bool:
        """Whether it builds indexes outside a transaction."""
        return self.text.startswith(_CONCURRENTLY)


def list_migrations() -> list[Migration]:
    """Return the migrations of this release, in order."""
    return [Migration(path.stem, path.read_text("utf-8")) for path in sorted(_FOLDER.glob("*.sql"))]


async def migrate(
    settings: StorageSettings,
    *,
    only: Collection[str] | None = None,
    report: Callable[[str], None] = lambda _: None,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[str]:
    """Apply what is missing; return the names applied. It may be killed at any moment, and run again.

    Args:
        settings: Where the database is.
        only: The names that may be applied; None means all.
        report: Is told, for people, when a migration has to wait for others.
        pause: Waits for some seconds between attempts, while no lock is held or waited for.

    Raises:
        MigrationError: The server is too old, an applied file has changed, a file was refused, or others held
            a lock for ten minutes.
        StorageUnavailable: The database cannot be reached, or another runner does not finish.
    """
    with storage_errors():
        connection = await asyncpg.connect(
            settings.database_url.get_secret_value(), password=settings.separate_password, timeout=10
        )
        try:
            runner = _Runner(connection, report, pause)
            await runner.lock()
            return await runner.apply_missing(only)
        finally:
            await connection.close()


async def check_schema(database: Database) -> None:
    """Check that every migration of this release has been applied; those of a newer release do no harm.

    Raises:
        SchemaMismatch: Some are missing.
        StorageUnavailable: The database cannot be reached.
    """
    applied = {row["name"] for row in await database.fetch(_QUERIES["list_applied_migrations"])}
    missing = sorted({migration.name for migration in list_migrations()} - applied)
    if missing:
        raise SchemaMismatch(
            "the database schema is older than this release: run `llm-observe migrate`"
            f" (missing: {', '.join(missing)})"
        )


class _Runner:
    """Applies migrations on one connection."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        report: Callable[[str], None],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._connection = connection
        self._report = report
        self._pause = pause

    async def lock(self) -> None:
        """Keep other runners out until the connection closes.

        Asks again and again: a runner that waited inside Postgres would hold a snapshot, for whose end an
        index that is built concurrently waits.
        """
        for _ in range(_RUNNER_ATTEMPTS):
            if await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                return
            await self._pause(_RUNNER_PAUSE_S)
        raise StorageUnavailable("another process is migrating the database and does not finish")

    async def apply_missing(self, only: Collection[str] | None) -> list[str]:
        if int(await self._connection.fetchval("SHOW server_version_num")) < _MIN_VERSION:
            raise MigrationError("PostgreSQL 18 or later is required: set DATABASE_URL to such a server")
        await self._connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, sha256 text NOT NULL,"
            " apply_time timestamptz NOT NULL DEFAULT now())"
        )
        rows = await self._connection.fetch("SELECT name, sha256 FROM schema_migrations")
        missing = find_missing({row["name"]: row["sha256"] for row in rows})
        missing = [migration for migration in missing if only is None or migration.name in only]
        for migration in missing:
            await self._apply(migration)
        return [migration.name for migration in missing]

    async def _apply(self, migration: Migration) -> None:
        try:
            if migration.is_concurrent:
                await self._build_indexes(migration)
            else:
                await self._retry(migration.name, lambda: self._apply_in_transaction(migration))
        except ValueError as error:
            raise MigrationError(f"migration {migration.name}: {error}") from error
        except asyncpg.SyntaxOrAccessError as error:  # to others it says that a migration is missing
            raise MigrationError(
                f"the database rejected migration {migration.name}: SQLSTATE {error.sqlstate}"
            ) from error

    async def _apply_in_transaction(self, migration: Migration) -> None:
        async with self._connection.transaction():
            await self._connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            await self._connection.execute(migration.text)
            await self._note(migration)

    async def _build_indexes(self, migration: Migration) -> None:
        async def run(statement: str) -> None:
            await self._retry(migration.name, lambda: self._execute(statement))

        for index in parse_indexes(migration.text):
            await build_index(self._connection, index, run)
        await self._note(migration)

    async def _execute(self, statement: str) -> None:
        async with self._connection.transaction():
            await self._connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            await self._connection.execute(statement)

    async def _note(self, migration: Migration) -> None:
        await self._connection.execute(
            "INSERT INTO schema_migrations VALUES ($1, $2)", migration.name, migration.sha256
        )

    async def _retry(self, name: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Attempt it again and again, with growing pauses, while others hold its locks."""
        for number in range(1, _LOCK_ATTEMPTS + 1):
            try:
                return await attempt()
            except _LOCK_ERRORS:
                self._report(f"migration {name} waits for a lock (attempt {number} of {_LOCK_ATTEMPTS})")
            await self._pause(min(0.5 * 2 ** (number - 1), _MAX_PAUSE_S))
        raise MigrationError(
            f"migration {name} cannot lock its tables: end the transactions that are open for long"
            " (pg_stat_activity), and run `llm-observe migrate` again"
        )


def find_missing(applied: Mapping[str, str]) -> list[Migration]:
    """Return the migrations that are not applied yet.

    Raises:
        MigrationError: One was changed after it was applied.
    """
    missing = []
    for migration in list_migrations():
        if migration.name not in applied:
            missing.append(migration)
        elif applied[migration.name] != migration.sha256:
            raise MigrationError(
                f"migration {migration.name} was changed after it was applied: restore the original file"
            )
    return missing

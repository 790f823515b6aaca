"""Versioned migrations: plain numbered .sql files, forward only, checked by hash, one runner at a time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from storage.errors import SchemaMismatch, StorageError, storage_errors
from storage.sql import load_queries

if TYPE_CHECKING:
    from storage.pool import Database
    from storage.settings import StorageSettings

_QUERIES: Final = load_queries(__file__)
_FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 7_215_003
_LOCK_TIMEOUT_S: Final = 600.0
"""Longest wait for another runner's migrations, in seconds."""
_MIN_VERSION: Final = 180_000


class MigrationError(StorageError):
    """The schema cannot be brought up to date; the message says why."""


async def migrate(settings: StorageSettings) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; return the names applied.

    Raises:
        MigrationError: The server is too old, an applied file has changed, or a file was refused.
        StorageUnavailable: The database cannot be reached, or another runner does not finish.
    """
    with storage_errors():
        connection = await asyncpg.connect(
            settings.database_url.get_secret_value(), password=settings.separate_password, timeout=10
        )
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK, timeout=_LOCK_TIMEOUT_S)
            return await _apply_missing(connection)
        finally:
            await connection.close()


async def check_schema(database: Database) -> None:
    """Check that every migration of this release has been applied; those of a newer release do no harm.

    Raises:
        SchemaMismatch: Some are missing.
        StorageUnavailable: The database cannot be reached.
    """
    applied = {row["name"] for row in await database.fetch(_QUERIES["list_applied_migrations"])}
    missing = sorted({path.stem for path in _FOLDER.glob("*.sql")} - applied)
    if missing:
        raise SchemaMismatch(
            "the database schema is older than this release: run `llm-observe migrate`"
            f" (missing: {', '.join(missing)})"
        )


async def _apply_missing(connection: asyncpg.Connection) -> list[str]:
    if int(await connection.fetchval("SHOW server_version_num")) < _MIN_VERSION:
        raise MigrationError("PostgreSQL 18 or later is required: set DATABASE_URL to such a server")
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, sha256 text NOT NULL,"
        " apply_time timestamptz NOT NULL DEFAULT now())"
    )
    applied = {
        row["name"]: row["sha256"] for row in await connection.fetch("SELECT * FROM schema_migrations")
    }
    names = []
    for path in sorted(_FOLDER.glob("*.sql")):
        text = path.read_text("utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        if path.stem in applied:
            if applied[path.stem] != digest:
                raise MigrationError(
                    f"migration {path.stem} was changed after it was applied: restore the original file"
                )
            continue
        try:
            async with connection.transaction():
                await connection.execute(text)
                await connection.execute("INSERT INTO schema_migrations VALUES ($1, $2)", path.stem, digest)
        except asyncpg.SyntaxOrAccessError as error:  # to others it says that a migration is missing
            raise MigrationError(
                f"the database rejected migration {path.stem}: SQLSTATE {error.sqlstate}"
            ) from error
        names.append(path.stem)
    return names

"""The connection pool: the one edge where queries are run and errors are wrapped."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg

from storage.errors import storage_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from storage.settings import StorageSettings
    from storage.sql import Query


class Connection:
    """Runs queries on one connection."""

    def __init__(self, raw: Any, timeout_s: float) -> None:
        self._raw = raw
        self._timeout_s = timeout_s

    async def fetch(self, query: Query, **values: Any) -> list[asyncpg.Record]:
        """Return all rows.

        Raises:
            StorageError: See storage.errors.
        """
        with storage_errors():
            rows: list[asyncpg.Record] = await self._raw.fetch(
                query.text, *query.args(**values), timeout=self._timeout_s
            )
            return rows

    async def fetch_one(self, query: Query, **values: Any) -> asyncpg.Record | None:
        """Return the first row, or None."""
        with storage_errors():
            row: asyncpg.Record | None = await self._raw.fetchrow(
                query.text, *query.args(**values), timeout=self._timeout_s
            )
            return row

    async def copy(self, table: str, columns: Sequence[str], data: bytes) -> None:
        """Add rows, given in COPY's binary format."""
        with storage_errors():
            await self._raw.copy_to_table(
                table, columns=columns, source=memoryview(data), format="binary", timeout=self._timeout_s
            )

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[None]:
        """Commit what happens inside, or nothing. Read-only ones see one snapshot throughout."""
        isolation = "repeatable_read" if read_only else "read_committed"
        with storage_errors():
            async with self._raw.transaction(isolation=isolation, readonly=read_only):
                yield


class Database:
    """A pool of connections that may open later: a database that is away at start is not fatal."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> Database:
        """Connect.

        Raises:
            StorageUnavailable: The database cannot be reached.
        """
        with storage_errors():
            self._pool = await asyncpg.create_pool(
                self._settings.database_url.get_secret_value(),
                min_size=0,
                max_size=self._settings.pool_size,
                timeout=5,
                command_timeout=self._settings.timeout_s,
            )
        return self

    async def close(self) -> None:
        """Close every connection, within 5 seconds."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Borrow a connection.

        Raises:
            StorageUnavailable: The database cannot be reached.
        """
        if self._pool is None:
            await self.open()
        pool = self._pool
        with storage_errors():
            raw = await pool.acquire(timeout=self._settings.timeout_s)  # type: ignore[union-attr] # open() sets it
        try:
            yield Connection(raw, self._settings.timeout_s)
        finally:
            with storage_errors():
                await pool.release(raw, timeout=5)  # type: ignore[union-attr] # as above

    async def fetch(self, query: Query, **values: Any) -> list[asyncpg.Record]:
        """Borrow a connection and return all rows."""
        async with self.connection() as connection:
            return await connection.fetch(query, **values)

    async def fetch_one(self, query: Query, **values: Any) -> asyncpg.Record | None:
        """Borrow a connection and return the first row, or None."""
        async with self.connection() as connection:
            return await connection.fetch_one(query, **values)

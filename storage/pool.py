"""The connection pool. All queries run here, and here asyncpg's errors become ours."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import asyncpg

from storage.errors import storage_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from storage.settings import StorageSettings
    from storage.sql import Query

    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    RawConnection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

_CONNECT_TIMEOUT_S: Final = 5.0
_RELEASE_TIMEOUT_S: Final = 5.0


class Connection:
    """Runs queries on one connection."""

    def __init__(self, raw: RawConnection, timeout_s: float) -> None:
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
                table,
                columns=columns,
                source=memoryview(data),  # type: ignore[arg-type] # asyncpg's stubs forget buffers
                format="binary",
                timeout=self._timeout_s,
            )

    async def copy_out(
        self,
        query: Query,
        sink: Callable[[bytes], Coroutine[Any, Any, None]],
        *,
        timeout_s: float,
        **values: Any,
    ) -> None:
        """Hand a query's rows to ``sink`` as CSV, some whole rows at a time, each awaited before the next."""
        with storage_errors():
            await self._raw.copy_from_query(
                query.text, *query.args(**values), output=sink, format="csv", timeout=timeout_s
            )

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[None]:
        """Commit what happens inside, or nothing. Read-only ones see one snapshot throughout."""
        isolation: Literal["repeatable_read", "read_committed"] = (
            "repeatable_read" if read_only else "read_committed"
        )
        with storage_errors():
            async with self._raw.transaction(isolation=isolation, readonly=read_only):
                yield


class Database:
    """A pool of connections that may open later: a database that is away at start is not fatal."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._pool: Pool | None = None
        self._opening = asyncio.Lock()
        self._releasing: set[asyncio.Task[None]] = set()

    async def open(self) -> Database:
        """Make the pool, once; its connections are made when they are needed."""
        await self._open_pool()
        return self

    async def _open_pool(self) -> Pool:
        # Held while a pool without connections is made, which asks nobody.
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._settings.database_url.get_secret_value(),
                    password=self._settings.separate_password,
                    min_size=0,
                    max_size=self._settings.pool_size,
                    timeout=_CONNECT_TIMEOUT_S,
                    command_timeout=self._settings.timeout_s,
                )
            return self._pool

    async def close(self) -> None:
        """Close every connection at once."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None
        if self._releasing:
            await asyncio.wait(self._releasing)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Borrow a connection.

        Raises:
            StorageUnavailable: The database cannot be reached.
        """
        with storage_errors():
            pool = self._pool or await self._open_pool()
            raw = await pool.acquire(timeout=self._settings.timeout_s)
        try:
            yield Connection(raw, self._settings.timeout_s)
        except BaseException:
            # asyncpg cancels an unfinished query first: with a database that hangs, not in the caller's time.
            task = asyncio.create_task(_release(pool, raw), name="connection-release")
            self._releasing.add(task)
            task.add_done_callback(self._releasing.discard)
            raise
        with storage_errors():
            await pool.release(raw, timeout=_RELEASE_TIMEOUT_S)

    async def fetch(self, query: Query, **values: Any) -> list[asyncpg.Record]:
        """Borrow a connection and return all rows."""
        async with self.connection() as connection:
            return await connection.fetch(query, **values)

    async def fetch_one(self, query: Query, **values: Any) -> asyncpg.Record | None:
        """Borrow a connection and return the first row, or None."""
        async with self.connection() as connection:
            return await connection.fetch_one(query, **values)


async def _release(pool: Pool, raw: RawConnection) -> None:
    with suppress(Exception):  # then the pool has dropped it
        await pool.release(raw, timeout=_RELEASE_TIMEOUT_S)

"""Reads all rows as of one instant, and puts them into an empty database, all or none.

Rows travel as the text of COPY. Tables are those that are there, by whatever migrations: a backup of any
schema can be made, and is restored into the same schema before later migrations are applied.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import asyncpg

from storage.errors import StorageError, StorageUnavailable, storage_errors
from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Mapping, Sequence
    from datetime import date, datetime

    from storage.settings import StorageSettings

    Sink = Callable[[bytes], Coroutine[Any, Any, None]]

_QUERIES: Final = load_queries(__file__)
_CONNECT_TIMEOUT_S: Final = 10.0
_LOCK_TIMEOUT: Final = "10s"
_NO_TIMEOUTS: Final = (
    "SET statement_timeout = 0; SET transaction_timeout = 0; SET idle_in_transaction_session_timeout = 0"
)
"""Whatever a role or a database has: the transaction idles while files of the lake are copied."""
_NOTES: Final = "schema_migrations"
"""Says which schema it is; restoring writes it by migrating."""
_FILLED_BY_MIGRATIONS: Final = {
    "projects": "project_id <> 'default'",
    "retention": "false",
    "minute_rollups_kept": "false",
}
"""Tables that are not empty in an empty database, and which of their rows a person has made."""


class TargetNotEmpty(StorageError):
    """The database has rows, or tables of something else: nothing was changed."""


class SnapshotTable(NamedTuple):
    """A table and its columns, in the order in which rows have their values."""

    name: str
    columns: tuple[str, ...]


class LakeFile(NamedTuple):
    """A file of the lake, as Postgres knows it."""

    project_id: str
    hour: datetime
    sha256: str
    """Hexadecimal."""
    is_kept: bool
    """Whether Postgres has its logs, too."""


class Snapshot:
    """All rows as of one instant; see read_snapshot()."""

    def __init__(self, connection: asyncpg.Connection, tables: Sequence[SnapshotTable]) -> None:
        self._connection = connection
        self.tables = tables
        """In an order in which no row comes before one that it refers to."""

    @property
    def server_version(self) -> str:
        """Postgres' version, such as ``18.1``."""
        version = self._connection.get_server_version()
        return f"{version.major}.{version.minor}"

    async def list_migrations(self) -> dict[str, str]:
        """Return the migrations that made the schema, with their digests."""
        return {row["name"]: row["sha256"] for row in await self._fetch("list_migrations")}

    async def list_days(self) -> list[date]:
        """Return the UTC days that have partitions."""
        return [row["day"] for row in await self._fetch("list_days")]

    async def list_lake_files(self) -> list[LakeFile]:
        """Return the files that the lake should have."""
        if "lake_hours" not in {table.name for table in self.tables}:
            return []
        return [LakeFile(*row.values()) for row in await self._fetch("list_lake_files")]

    async def copy_out(self, table: SnapshotTable, sink: Sink) -> int:
        """Hand all rows of a table to a sink, and return how many there are."""
        with storage_errors():
            status = await self._connection.copy_from_query(
                f"SELECT {', '.join(table.columns)} FROM {table.name}",  # noqa: S608 - from the catalogue
                output=sink,
                format="text",
            )
        return _count(status)

    async def _fetch(self, query: str) -> list[asyncpg.Record]:
        with storage_errors():
            rows: list[asyncpg.Record] = await self._connection.fetch(_QUERIES[query].text)
            return rows


@asynccontextmanager
async def read_snapshot(settings: StorageSettings) -> AsyncIterator[Snapshot]:
    """Read everything as of one instant, while others write.

    Meanwhile no partition is dropped, and no user erased.

    Raises:
        StorageUnavailable: The database cannot be reached or holds nothing of ours, or a migration or an
            erasure runs.
    """
    async with _connect(settings) as connection:
        with storage_errors():
            await _keep_erasures_out(connection)
            tables = await _list_tables(connection)
        if _NOTES not in {table.name for table in tables}:
            raise StorageUnavailable("the database holds no tables of LLM Observe: check DATABASE_URL")
        with storage_errors():
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # Locks come before the snapshot, which is taken by the first query: what it sees stays.
            await _lock(connection, tables, "ACCESS SHARE")
            if await _list_tables(connection) != tables:
                raise StorageUnavailable("the schema has just changed: try again")
        yield Snapshot(connection, [table for table in tables if table.name != _NOTES])


class Target:
    """An empty database that takes rows; see fill_database()."""

    def __init__(self, connection: asyncpg.Connection, tables: Sequence[SnapshotTable]) -> None:
        self._connection = connection
        self._columns = {table.name: set(table.columns) for table in tables}

    async def make_days(self, days: Sequence[date]) -> None:
        """Make the partitions of UTC days."""
        await self._fetch("make_days", days=days)

    async def copy_in(self, table: SnapshotTable, rows: AsyncIterable[bytes]) -> int:
        """Add rows to a table, and return how many they are.

        Raises:
            StorageError: The table or one of its columns does not exist, or a row is refused.
        """
        if not set(table.columns) <= self._columns.get(table.name, set()):
            raise StorageError(f"the schema has no table {table.name} with these columns")
        with storage_errors():
            status = await self._connection.copy_to_table(
                table.name, columns=table.columns, source=rows, format="text"
            )
        return _count(status)

    async def mark_lake_hours(self, files: Sequence[LakeFile]) -> None:
        """Have the manifests of the lake written again, and its files but for these."""
        if "lake_hours" in self._columns:
            await self._fetch(
                "mark_lake_hours",
                project_ids=[file.project_id for file in files],
                hours=[file.hour for file in files],
                digests=[file.sha256 for file in files],
            )

    async def _fetch(self, query: str, **values: Any) -> None:
        with storage_errors():
            await self._connection.fetch(_QUERIES[query].text, *_QUERIES[query].args(**values))

    async def finish(self) -> None:
        """Let the numbers of identity columns go on after those that are there."""
        with storage_errors():
            for name, column in await self._connection.fetch(_QUERIES["list_identities"].text):
                highest = await self._connection.fetchval(f"SELECT max({column}) FROM {name}")  # noqa: S608 - from the catalogue
                if highest is not None:
                    await self._fetch("set_sequence", name=name, column=column, value=highest)


async def read_migrations(settings: StorageSettings) -> dict[str, str]:
    """Return the migrations that a database has; none where it has no table of ours.

    Raises:
        TargetNotEmpty: It has tables of something else.
    """
    async with _connect(settings) as connection:
        with storage_errors():
            names = {table.name for table in await _list_tables(connection)}
            if _NOTES not in names:
                if names:
                    raise TargetNotEmpty(f"the target database has tables of something else: {min(names)}")
                return {}
            rows = await connection.fetch(_QUERIES["list_migrations"].text)
            return {row["name"]: row["sha256"] for row in rows}


async def check_empty(settings: StorageSettings) -> None:
    """Check that a migrated database has no rows but those that migrations make.

    Raises:
        TargetNotEmpty: It has.
        StorageUnavailable: It cannot be reached.
    """
    async with _connect(settings) as connection:
        with storage_errors():
            await _check_empty(
                connection, [table for table in await _list_tables(connection) if table.name != _NOTES]
            )


@asynccontextmanager
async def fill_database(settings: StorageSettings) -> AsyncIterator[Target]:
    """Fill a migrated, empty database; all that happens inside is committed at the end, or nothing.

    Raises:
        TargetNotEmpty: It has rows.
        StorageUnavailable: It cannot be reached, or is in use.
    """
    async with _connect(settings) as connection:
        with storage_errors():
            tables = [table for table in await _list_tables(connection) if table.name != _NOTES]
            await connection.execute("BEGIN")
            await _lock(connection, tables, "ACCESS EXCLUSIVE")
            await _check_empty(connection, tables)
            for name in _FILLED_BY_MIGRATIONS.keys() & {table.name for table in tables}:
                await connection.execute(f"DELETE FROM {name}")  # noqa: S608 - from the catalogue
        target = Target(connection, tables)
        yield target  # an error ends the connection, and with it the transaction
        with storage_errors():
            await target.finish()
            await connection.execute("COMMIT")
            await connection.execute("ANALYZE")


async def _check_empty(connection: asyncpg.Connection, tables: Sequence[SnapshotTable]) -> None:
    for table in tables:
        condition = _FILLED_BY_MIGRATIONS.get(table.name, "true")
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table.name} WHERE {condition})"):  # noqa: S608 - from the catalogue
            raise TargetNotEmpty(
                f"the target database is not empty (table {table.name}): restore into a new one"
            )


async def _keep_erasures_out(connection: asyncpg.Connection) -> None:
    try:
        await connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
        await connection.execute(_QUERIES["keep_erasures_out"].text)
        await connection.execute("SET lock_timeout = 0")
    except asyncpg.LockNotAvailableError as error:
        raise StorageUnavailable("a user is being erased: try again after it") from error


async def _lock(connection: asyncpg.Connection, tables: Sequence[SnapshotTable], mode: str) -> None:
    names = ", ".join(table.name for table in tables)
    try:
        await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        await connection.execute(f"LOCK TABLE {names} IN {mode} MODE")
        await connection.execute("SET LOCAL lock_timeout = 0")
    except asyncpg.LockNotAvailableError as error:
        raise StorageUnavailable("the database's tables are in use: try again later") from error
    except asyncpg.UndefinedTableError as error:
        raise StorageUnavailable("the schema has just changed: try again") from error


async def _list_tables(connection: asyncpg.Connection) -> list[SnapshotTable]:
    """Return the tables, each after those that its rows refer to."""
    rows: Mapping[str, asyncpg.Record] = {
        row["name"]: row for row in await connection.fetch(_QUERIES["list_tables"].text)
    }
    order = TopologicalSorter({name: row["referenced"] for name, row in rows.items()}).static_order()
    return [SnapshotTable(name, tuple(rows[name]["columns"])) for name in order]


def _count(status: str) -> int:
    """Return the number in COPY's status, such as ``COPY 12``."""
    return int(status.rsplit(maxsplit=1)[-1])


@asynccontextmanager
async def _connect(settings: StorageSettings) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection of its own, whose statements may take as long as they need."""
    with storage_errors():
        connection = await asyncpg.connect(
            settings.database_url.get_secret_value(),
            password=settings.separate_password,
            timeout=_CONNECT_TIMEOUT_S,
            server_settings={"DateStyle": "ISO", "TimeZone": "UTC", "IntervalStyle": "postgres"},
        )
    try:
        with storage_errors():
            await connection.execute(_NO_TIMEOUTS)
        yield connection
    finally:
        connection.terminate()

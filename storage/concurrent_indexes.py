"""Builds indexes beside writers, on partitioned tables too, where Postgres refuses CREATE INDEX CONCURRENTLY.

The index is made on the parent alone, then built partition by partition, and each is attached; with the last
one the parent's becomes valid. Whatever interrupts this, the next call goes on: it keeps what is whole, and
drops what a killed build has left invalid. Only a partition's build takes time, and it blocks no writer.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg

from storage.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from storage.sql import Query

    RunStatement = Callable[[str], Awaitable[None]]
    """Runs a statement that needs a lock for an instant, and again while others hold it."""

_QUERIES: Final = load_queries(__file__)
_STATEMENT: Final = re.compile(
    r"CREATE (?P<unique>UNIQUE )?INDEX CONCURRENTLY (?P<name>\w+)\s+ON (?P<table>\w+)\s+"
    r"(?P<definition>.+)",
    re.DOTALL,
)
_MAX_NAME_BYTES: Final = 63
"""Postgres cuts longer names without an error."""


class ConcurrentIndex(NamedTuple):
    """An index as a migration declares it."""

    name: str
    table: str
    definition: str
    """What follows the table's name: columns, WHERE and so on."""
    is_unique: bool

    def create(self, *, name: str, target: str, concurrently: bool) -> str:
        """Return the statement that makes it under a name on a target such as ``ONLY logs``."""
        kind = "UNIQUE INDEX" if self.is_unique else "INDEX"
        how = "CONCURRENTLY " if concurrently else ""
        return f"CREATE {kind} {how}{name} ON {target} {self.definition}"

    def name_on(self, partition: str) -> str:
        """Return the name of its part on a partition."""
        return f"{partition}_{self.name}"


def parse_indexes(text: str) -> list[ConcurrentIndex]:
    """Return the indexes that a migration declares.

    Raises:
        ValueError: It holds something other than ``CREATE INDEX CONCURRENTLY name ON table ...;``.
    """
    without_comments = re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE)
    statements = [part.strip() for part in without_comments.split(";")]
    return [_parse(statement) for statement in statements if statement]


def _parse(statement: str) -> ConcurrentIndex:
    match = _STATEMENT.fullmatch(statement)
    if match is None:
        raise ValueError(f"not CREATE INDEX CONCURRENTLY name ON table: {statement[:60]}")
    return ConcurrentIndex(match["name"], match["table"], match["definition"], match["unique"] is not None)


async def build_index(connection: asyncpg.Connection, index: ConcurrentIndex, run: RunStatement) -> None:
    """Build an index, or what is missing of it. ``connection`` must be in no transaction.

    Raises:
        ValueError: A name would be longer than Postgres allows.
        asyncpg.PostgresError: It cannot be built as declared.
    """
    if not await _fetch_value(connection, "is_partitioned", table=index.table):
        await _build_part(connection, index, name=index.name, table=index.table)
        return
    if await _is_valid(connection, index.name) is None:
        await run(index.create(name=index.name, target=f"ONLY {index.table}", concurrently=False))
    # Partitions are made and dropped meanwhile: new ones come with their part.
    while partitions := await _list_unattached(connection, index):
        for partition in partitions:
            await _add_partition(connection, index, partition, run)


async def _add_partition(
    connection: asyncpg.Connection, index: ConcurrentIndex, partition: str, run: RunStatement
) -> None:
    """Build and attach the part of a partition; nothing if retention drops the partition meanwhile."""
    name = index.name_on(partition)
    with suppress(asyncpg.UndefinedTableError):
        await _build_part(connection, index, name=name, table=partition)
        await run(f"ALTER INDEX {index.name} ATTACH PARTITION {name}")


async def _build_part(
    connection: asyncpg.Connection, index: ConcurrentIndex, *, name: str, table: str
) -> None:
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise ValueError(f"the name {name} is longer than {_MAX_NAME_BYTES} bytes")
    is_valid = await _is_valid(connection, name)
    if is_valid is False:  # left by a build that was killed
        await connection.execute(f"DROP INDEX CONCURRENTLY {name}")
    if not is_valid:
        await connection.execute(index.create(name=name, target=table, concurrently=True))


async def _is_valid(connection: asyncpg.Connection, name: str) -> bool | None:
    """Tell whether an index is valid; None where there is none."""
    return await _fetch_value(connection, "is_valid", name=name)


async def _list_unattached(connection: asyncpg.Connection, index: ConcurrentIndex) -> list[str]:
    query: Query = _QUERIES["list_unattached"]
    rows = await connection.fetch(query.text, *query.args(table=index.table, name=index.name))
    return [row["partition"] for row in rows]


async def _fetch_value(connection: asyncpg.Connection, query: str, **values: str) -> bool | None:
    value: bool | None = await connection.fetchval(_QUERIES[query].text, *_QUERIES[query].args(**values))
    return value

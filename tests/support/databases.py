"""Further databases for a test, and comparisons of their rows."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg


@asynccontextmanager
async def empty_database(database_url: str) -> AsyncIterator[str]:
    """A database without tables on the same server; yields its URL."""
    base, _, _ = database_url.rpartition("/")
    name = f"empty{uuid.uuid4().hex}"
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
        yield f"{base}/{name}"
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await connection.close()


_TABLES = """
SELECT relname::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1
"""


async def digest_tables(url: str) -> dict[str, tuple[int, str]]:
    """Return how many rows each table has, and a digest of them in any order."""
    connection = await asyncpg.connect(url)
    try:
        names = [row[0] for row in await connection.fetch(_TABLES)]
        digests = {}
        for name in names:
            (row,) = await connection.fetch(
                "SELECT count(*), coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '')"
                f" FROM {name} AS t"
            )
            digests[name] = (row[0], row[1])
        return digests
    finally:
        await connection.close()

"""How many rows and index entries a server's queries have read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

# A connection reports what it has read a second or ten later, and at once when it ends.
_END_CONNECTIONS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_COUNT = """
SELECT (SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_user_tables)
    + (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes)
"""


async def count_rows_read(sql: asyncpg.Connection) -> int:
    """Return what others have read of the database since its statistics began; ends their connections."""
    await sql.execute(_END_CONNECTIONS)
    return int(await sql.fetchval(_COUNT))

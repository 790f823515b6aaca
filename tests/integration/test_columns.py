"""The migrated tables have the declared columns, and SQL follows the declarations."""

from __future__ import annotations

import pytest

from storage import columns, log_writes, sql
from storage.columns import (
    KEY_COLUMNS,
    LOG_COLUMNS,
    PACKED_COUNTS,
    ROLLUP_DIMENSIONS,
    ROLLUP_KEY,
    ROLLUP_SUMS,
    Column,
    Named,
)
from storage.sql import load_queries

TABLES: dict[str, tuple[Named, ...]] = {
    "logs": LOG_COLUMNS,
    "log_keys": KEY_COLUMNS,
    "rollup_deltas": (
        Column("delta_id", "bigint"),
        Column("create_time", "timestamptz"),
        *ROLLUP_KEY,
        *ROLLUP_SUMS,
        *PACKED_COUNTS,
    ),
    "rollups": (
        Column("project_id", "text"),
        Column("tier_minutes", "smallint"),
        Column("start_time", "timestamptz"),
        *ROLLUP_DIMENSIONS,
        *ROLLUP_SUMS,
        *PACKED_COUNTS,
        Column("shortest_size", "integer"),
    ),
}
TYPES = {"timestamptz": "timestamp with time zone"}


@pytest.mark.parametrize("table", TABLES)
async def test_a_table_has_the_declared_columns(database, table):
    async with database.connection() as connection:
        found = await connection._raw.fetch(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1", table
        )
    declared = {column.name: TYPES.get(column.type, column.type) for column in TABLES[table]}
    assert {row["column_name"]: row["data_type"] for row in found} == declared


async def test_sql_follows_a_column_that_is_added(database, monkeypatch):
    """The recipe of CONTRIBUTING: a migration and a line in LogRow are all that SQL needs."""
    added = Column("region", "text")
    lists = {
        name: (*items, added) if name.startswith("log_") else items for name, items in columns.LISTS.items()
    }
    monkeypatch.setattr(sql, "LISTS", lists)
    queries = load_queries(log_writes.__file__)
    assert "region" in queries["write_logs"].parameters
    assert "region = excluded.region" in queries["write_logs"].text
    async with database.connection() as connection:
        await connection._raw.execute("ALTER TABLE logs ADD COLUMN region text NOT NULL DEFAULT ''")
        for query in queries.values():
            await connection._raw.prepare(query.text)

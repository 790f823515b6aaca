"""Every query fits the migrated schema, and a changed migration is refused."""

from __future__ import annotations

import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

import storage.migrate
from analytics.checks import verify_rollups
from analytics.packed_counts import count_buckets
from storage.migrate import MigrationError, migrate
from storage.pool import Database
from storage.rollups import RollupFilter, TierRange, sum_rollups
from storage.settings import StorageSettings
from storage.sql import load_queries
from tests.support.rollups import merge_all

ROOT = Path(storage.__file__).parent


@pytest.mark.parametrize(
    "path", sorted(set(ROOT.glob("*.sql")) - {ROOT / "parts.sql"}), ids=lambda path: path.stem
)
async def test_every_query_prepares(sql, path):
    queries = load_queries(str(path))
    assert queries
    for query in queries.values():
        await sql.prepare(query.text)


async def test_migrating_twice_applies_nothing(database_url):
    assert await migrate(StorageSettings(database_url=database_url)) == []


async def test_a_changed_migration_is_refused(database_url, tmp_path, monkeypatch):
    for path in (ROOT / "migrations").glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text() + "\n-- changed")
    monkeypatch.setattr(storage.migrate, "_FOLDER", tmp_path)
    with pytest.raises(MigrationError, match="changed after it was applied"):
        await migrate(StorageSettings(database_url=database_url))


async def test_rows_stored_before_their_partition_move_into_it(sql):
    day = (datetime.now(UTC) - timedelta(days=90)).date()
    await sql.execute(
        "INSERT INTO log_keys VALUES (uuidv7_floor($1::date + interval '1 hour'), 'default', $1, now())", day
    )
    await sql.execute("SELECT make_day_partitions($1)", day)
    held = await sql.fetchval("SELECT count(*) FROM log_keys_default")
    moved = await sql.fetchval(f"SELECT count(*) FROM log_keys_{day:%Y%m%d}")
    assert (held, moved) == (0, 1)


async def test_query_plans_prune_partitions_outside_the_window(sql):
    plan = await sql.fetch(
        "EXPLAIN SELECT * FROM logs WHERE project_id = 'default' AND outcome = 'error'"
        " AND start_time >= now()::date AND start_time < now()::date + 1 ORDER BY start_time DESC LIMIT 5"
    )
    text = "\n".join(line[0] for line in plan)
    assert "Subplans Removed" in text


@pytest.fixture
async def empty_database(database_url):
    """A database that no migration has seen."""
    base, _, _ = database_url.rpartition("/")
    name = f"empty{uuid.uuid4().hex}"
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        yield f"{base}/{name}"
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest.fixture
def migrate_to(empty_database, tmp_path, monkeypatch):
    """Migrates the empty database to the named migration; returns what was applied."""
    monkeypatch.setattr(storage.migrate, "_FOLDER", tmp_path)

    async def migrate_to_(last: str) -> list[str]:
        for path in (ROOT / "migrations").glob("*.sql"):
            if path.stem <= last:
                shutil.copy(path, tmp_path)
        return await migrate(StorageSettings(database_url=empty_database))

    return migrate_to_


async def test_new_fields_rewrite_no_table_and_the_release_before_goes_on(empty_database, migrate_to):
    """With ten million rows they take the same instant; what does not name them can still write."""
    await migrate_to("0005_logs_by_time")
    connection = await asyncpg.connect(empty_database)
    await connection.execute("SELECT make_day_partitions(current_date)")
    await _write_as_before(connection)
    files = await connection.fetch(_FILES)
    assert await migrate_to("0006_log_fields") == ["0006_log_fields"]
    assert await connection.fetch(_FILES) == files
    await _write_as_before(connection)
    logs = await connection.fetch("SELECT service_tier, source, retry_count FROM logs")
    assert [tuple(row) for row in logs] == [("", "", None)] * 2
    sums = await connection.fetch("SELECT cache_write_1h_token_sum FROM hourly_rollups")
    assert [tuple(row) for row in sums] == [(0,)] * 2
    await connection.close()


_FILES = (
    "SELECT relname, relfilenode FROM pg_class"
    " WHERE relkind IN ('r', 'i') AND relname ~ '^(logs|hourly_rollups)' ORDER BY relname"
)


async def _write_as_before(connection: asyncpg.Connection) -> None:
    """Write a log and a rollup as the release before 0006 does: it names the columns that it knows."""
    for table in ("logs", "hourly_rollups"):
        columns = await connection.fetch(
            "SELECT column_name AS name, data_type AS type FROM information_schema.columns"
            " WHERE table_name = $1 AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'",
            table,
        )
        values = ", ".join(_VALUES[column["type"]] for column in columns)
        names = ", ".join(column["name"] for column in columns)
        await connection.execute(f"INSERT INTO {table} ({names}) VALUES ({values})")


_VALUES = {
    "uuid": "gen_random_uuid()",
    "text": "md5(random()::text)",
    "timestamp with time zone": "now()",
    "boolean": "true",
    "bigint": "1",
    "numeric": "1",
}


async def test_what_was_counted_by_hours_is_taken_over(empty_database, migrate_to):
    """Of logs that are still there, and of those that retention has dropped."""
    await migrate_to("0006_log_fields")
    connection = await asyncpg.connect(empty_database)
    for _ in range(30):
        await _write_as_before(connection)
    await connection.execute(_COUNT_BY_HOURS)
    assert await migrate_to("0007_rollup_tiers") == ["0007_rollup_tiers"]
    database = Database(StorageSettings(database_url=empty_database))
    ranges = [TierRange(1440, datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC))]
    for _ in range(2):
        assert await verify_rollups(database) == []
        async with database.connection() as reading:
            (old,) = await sum_rollups(reading, ranges, RollupFilter(project_id="default"))
        assert count_buckets(old.packed["latency_sketch"]) == [(7, 1), (300, 64), (1000, 2**40)]
        assert old.packed["ttft_sketch"] == b""
        await merge_all(database)
    await database.close()
    await connection.close()


_SUMS = """
(project_id, hour, provider, model, operation, environment, request_count, success_count, error_count,
    cancelled_count, priced_count, latency_count, ttft_count, latency_us_sum, ttft_us_sum, input_token_sum,
    output_token_sum, total_token_sum, cache_read_token_sum, cache_write_token_sum, reasoning_token_sum,
    cost_nano_usd_sum)
"""
_COUNT_BY_HOURS = f"""
DELETE FROM hourly_rollups;
UPDATE logs SET project_id = 'default', outcome = (ARRAY['success', 'error'])[1 + length(model) % 2],
    hour = date_trunc('hour', start_time, 'UTC'), model = left(model, 1), provider = left(provider, 1),
    operation = 'chat', environment = '', input_token_count = 5, error_code = left(error_code, 1);
UPDATE logs SET latency_us = 7, latency_bucket = 90 + ascii(model) WHERE outcome = 'success';
INSERT INTO hourly_rollups {_SUMS}
SELECT project_id, hour, provider, model, operation, environment, request_count, success_count, error_count,
    0, 0, success_count, 0, 7 * success_count, 0, 5 * request_count, 0, 0, 0, 0, 0, 0
FROM (SELECT project_id, hour, provider, model, operation, environment, count(*) AS request_count,
          count(*) FILTER (WHERE outcome = 'success') AS success_count,
          count(*) FILTER (WHERE outcome = 'error') AS error_count
      FROM logs GROUP BY 1, 2, 3, 4, 5, 6) AS counted;
INSERT INTO hourly_sketches
SELECT rollup_id, latency_bucket, count(*), 0
FROM logs JOIN hourly_rollups USING (project_id, hour, provider, model, operation, environment)
WHERE latency_bucket IS NOT NULL GROUP BY 1, 2;
UPDATE retention SET kept_from = '2020-01-02 00:00+00';
WITH gone AS (
    INSERT INTO hourly_rollups {_SUMS}
    SELECT 'default', '2020-01-01 07:00Z', 'p', 'm', 'chat', '', 5, 5, 0, 0, 0, 5, 0, 9,
        0, 0, 0, 0, 0, 0, 0, 0
    RETURNING rollup_id
)
INSERT INTO hourly_sketches
SELECT rollup_id, bucket, calls, 0
FROM gone, (VALUES (7, 1), (300, 64), (1000, 1::bigint << 40)) AS s (bucket, calls)
"""

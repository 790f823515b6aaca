"""Every query fits the migrated schema, and a changed migration is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import storage.migrate
from storage.migrate import MigrationError, migrate
from storage.settings import StorageSettings
from storage.sql import load_queries

ROOT = Path(storage.__file__).parent


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.sql")), ids=lambda path: path.stem)
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

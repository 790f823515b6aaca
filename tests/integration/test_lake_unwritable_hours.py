"""An hour that cannot be written is named, tried again, and holds up only its own day and those after it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.lake.layout import hour_file, manifest_file
from storage import exports
from storage.partitions import apply_retention
from tests.support.lake import START, assert_lake_is_right, export_all, lake_settings, read_lake, row_at
from tests.support.packing import insert


@pytest.fixture
def lake(tmp_path, monkeypatch):
    monkeypatch.setattr("worker.tasks.export_run._FILE_PAUSES_S", (0, 0, 0))
    return lake_settings(tmp_path / "lake")


def obstruct(lake, obstacle: str) -> Path:
    """Put something where the file of the second hour, or the manifest, has to be; return it."""
    file = Path(lake.url) / hour_file("default", START + timedelta(hours=1))
    if obstacle == "folder for a file":
        file.mkdir(parents=True)
    elif obstacle == "file for a folder":
        file.parent.parent.mkdir(parents=True)
        file.parent.write_text("")
        return file.parent
    else:
        file = Path(lake.url) / manifest_file("default", START)
        file.mkdir(parents=True)
    return file


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


async def last_export(database) -> exports.Export:
    (found,) = await exports.list_exports(
        database, project_id="default", states=None, before_id=None, row_limit=1
    )
    return found


@pytest.mark.parametrize(
    ("obstacle", "named", "file_count"),
    [
        ("folder for a file", f"{START:%Y-%m-%d}T01Z", 3),
        ("file for a folder", f"{START:%Y-%m-%d}T01Z", 3),
        ("folder for a manifest", f"manifest of {START:%Y-%m-%d}", 4),
    ],
)
async def test_the_other_hours_are_written_and_the_next_export_tries_again(
    database, sql, lake, obstacle, named, file_count
):
    await insert(database, [row_at(hours) for hours in (0, 1, 2, 24)])
    await insert(database, [row_at(3, project_id="other")])
    path = obstruct(lake, obstacle)
    await export_all(database, lake)
    written = [name for name in read_lake(lake) if name.endswith(".parquet")]
    assert len([name for name in written if "=default/" in name]) == file_count
    assert len([name for name in written if "=other/" in name]) == 1
    failed = await last_export(database)
    assert (failed.state, failed.error_reason) == ("failed", "LAKE_UNAVAILABLE")
    assert named in failed.error_message
    assert lake.url not in failed.error_message
    remove(path)
    await export_all(database, lake)
    assert (await last_export(database)).state == "succeeded"
    assert await assert_lake_is_right(sql, lake) == 5


async def test_retention_drops_the_days_before_an_hour_that_waits(database, sql, lake):
    await insert(database, [row_at(hours) for hours in (-48, -24, 1, 24)])
    path = obstruct(lake, "folder for a file")
    await export_all(database, lake)
    today = datetime.now(UTC).date()
    held = await apply_retention(database, today, 1, exported_only=True)
    assert held.waiting == (1, START + timedelta(hours=1))
    assert await sql.fetchval("SELECT count(*) FROM logs") == 2
    remove(path)
    await export_all(database, lake)
    done = await apply_retention(database, today, 1, exported_only=True)
    assert done.waiting.hour_count == 0
    assert await sql.fetchval("SELECT count(*) FROM logs") == 0

"""A database to back up, and an empty one to restore into."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack.backup.create import create_backup
from stack.backup.restore import restore_backup
from storage.settings import StorageSettings
from tests.support.backups import silent
from tests.support.databases import empty_database
from tests.support.lake import lake_settings


@pytest.fixture
async def target_url(database_url):
    """A database without tables."""
    async with empty_database(database_url) as url:
        yield url


@pytest.fixture
def lake(tmp_path):
    return lake_settings(tmp_path / "lake")


@pytest.fixture
def target_lake(tmp_path):
    return lake_settings(tmp_path / "restored-lake")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backups"


@pytest.fixture
def make_backup(database_url, folder):
    """Makes a backup of the test's database, and returns its folder."""

    async def make(lake=None) -> Path:
        store = lake.open_store() if lake is not None else None
        return (await create_backup(StorageSettings(database_url=database_url), store, folder, silent)).path

    return make


@pytest.fixture
def restore(target_url):
    """Restores a backup into the empty database."""

    async def run(path: Path, lake=None) -> None:
        store = lake.open_store() if lake is not None else None
        await restore_backup(StorageSettings(database_url=target_url), store, path, silent)

    return run

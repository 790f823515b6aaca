"""`llm-observe backup` and `restore`, of a server of one's own and of the data folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stack.backup.archive import read_manifest
from stack.data_dir import DataDir
from stack.embedded.postgres import EmbeddedPostgres
from tests.support.lake import export_all, lake_settings, read_lake, row_at
from tests.support.packing import insert

VARIABLES = ("DATABASE_URL", "REDIS_URL", "LLM_OBSERVE_LAKE_URL", "LLM_OBSERVE_HOME")


@pytest.fixture
def run(tmp_path):
    """Runs the command with the given variables and none of the machine's own."""

    async def run_(*arguments: str | Path, status: int = 0, **variables: str | Path) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        environment |= {name: str(value) for name, value in variables.items()}
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "stack.cli.main", *map(str, arguments)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    return run_


@pytest.fixture
def home(tmp_path):
    """A data folder in which nothing has run; Postgres may run as another user."""
    folder = tmp_path / "home"
    yield folder
    if folder.exists():
        data = EmbeddedPostgres(DataDir(folder), 1).data
        if not data.is_relative_to(folder):
            shutil.rmtree(data.parent, ignore_errors=True)


async def test_from_a_server_of_ones_own_into_a_data_folder_and_back(
    database, database_url, run, home, tmp_path
):
    lake, backups = lake_settings(tmp_path / "lake"), tmp_path / "backups"
    await insert(database, [row_at(number % 20) for number in range(40)])
    await export_all(database, lake)
    own = {"DATABASE_URL": database_url, "LLM_OBSERVE_LAKE_URL": lake.url}
    said = await run("backup", backups, **own)
    (path,) = backups.glob("llm-observe-*")
    assert said.startswith(f"{path}: ")
    assert "20 files of the lake" in said

    said = await run("restore", path, LLM_OBSERVE_HOME=home)
    assert said.startswith("restored ")
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(home) in str(each.info["cmdline"])]
    files = {name: file for name, file in read_lake(lake).items() if name.endswith("parquet")}
    assert read_lake(lake_settings(home / "lake")) == files

    again = tmp_path / "again"
    assert "20 files of the lake" in await run("backup", again, "--keep", "2", LLM_OBSERVE_HOME=home)
    counts = [_counts(next(folder.glob("llm-observe-*"))) for folder in (backups, again)]
    assert counts[0] == counts[1]
    assert "not empty" in await run("restore", path, LLM_OBSERVE_HOME=home, status=1)


def _counts(path: Path) -> dict[str, int]:
    return {table.name: table.row_count for table in read_manifest(path).tables}


async def test_a_lake_that_is_not_known_is_not_left_out_in_silence(database_url, run, tmp_path):
    said = await run("backup", tmp_path / "b", DATABASE_URL=database_url, status=1)
    assert "--without-lake" in said
    await run("backup", tmp_path / "b", "--without-lake", DATABASE_URL=database_url)


async def test_a_database_without_our_tables_is_named(database_url, run, tmp_path):
    base, _, _ = database_url.rpartition("/")
    url = f"{base}/postgres"
    said = await run("backup", tmp_path / "b", "--without-lake", DATABASE_URL=url, status=1)
    assert "holds no tables of LLM Observe" in said
    assert [path.name for path in (tmp_path / "b").iterdir()] == [".lock"]


async def test_the_oldest_go(database_url, run, tmp_path):
    for _ in range(2):
        await run("backup", tmp_path / "b", "--without-lake", "--keep", "1", DATABASE_URL=database_url)
        await asyncio.to_thread(_age, tmp_path / "b")
    assert len(list((tmp_path / "b").glob("llm-observe-*"))) == 1


def _age(folder: Path) -> None:
    """Let backups seem to be of another day, as their names have seconds."""
    for number, path in enumerate(folder.glob("llm-observe-2*")):
        path.rename(folder / f"llm-observe-2000010{number + 1}T000000Z")

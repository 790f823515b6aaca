"""`llm-observe backup` and `llm-observe restore`."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stack.cli.lake import lake_of_environment
from stack.cli.output import hint, reporting
from stack.data_dir import DataDir
from stack.errors import StackError
from storage.settings import StorageSettings
from telemetry.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--keep", type=click.IntRange(1), help="Keep so many of the newest backups there, and no more.")
@click.option("--without-lake", is_flag=True, help="Leave the lake's files out.")
def backup(folder: Path, keep: int | None, without_lake: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Make a backup in FOLDER while all goes on.

    It holds all rows of Postgres as of one instant, and the lake's files. docs/backup.md says what it does
    not hold.
    """
    from stack.backup.archive import remove_old  # noqa: PLC0415 - pyarrow takes a while to import
    from stack.backup.create import create_backup  # noqa: PLC0415 - as above

    with _database() as settings, reporting() as report:
        made = asyncio.run(create_backup(settings, lake_of_environment(without=without_lake), folder, report))
    for name in made.damaged_lake_files:
        click.echo(f"not in the lake as it was written, and nowhere else: {name}", err=True)
    manifest = made.manifest
    size = sum(file.size_bytes for file in manifest.files())
    lake = "" if manifest.lake_files is None else f", {len(manifest.lake_files)} files of the lake"
    click.echo(f"{made.path}: {manifest.row_count()} rows{lake}, {size} bytes")
    for old in remove_old(folder, keep) if keep else ():
        click.echo(f"removed {old}", err=True)


@click.command()
@click.argument("folder", metavar="BACKUP", type=click.Path(path_type=Path, file_okay=False))
@click.option("--without-lake", is_flag=True, help="Restore no file of the lake, and leave it as it is.")
def restore(folder: Path, without_lake: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Restore BACKUP into an empty installation.

    That is DATABASE_URL with LLM_OBSERVE_LAKE_URL, or else the data folder, from which nothing may run
    meanwhile. The schema of an older release is brought up to date.
    """
    from stack.backup.restore import restore_backup  # noqa: PLC0415 - pyarrow takes a while to import

    if not os.environ.get("DATABASE_URL") and DataDir.from_env().running_supervisor() is not None:
        raise StackError("LLM Observe is running from the data folder: stop it with `llm-observe down` first")
    with _database() as settings, reporting() as report:
        manifest = asyncio.run(
            restore_backup(settings, lake_of_environment(without=without_lake), folder, report)
        )
    click.echo(f"restored {manifest.row_count()} rows as of {manifest.create_time}")
    hint("`llm-observe rollups verify` checks all numbers")


@contextmanager
def _database() -> Iterator[StorageSettings]:
    """Yield the environment's database, or that of the data folder, which is started if it does not run."""
    if os.environ.get("DATABASE_URL"):
        yield load_settings(StorageSettings)
        return
    home = DataDir.from_env()
    if (url := home.read_state().get("database_url")) and home.running_supervisor() is not None:
        yield load_settings(StorageSettings, database_url=url)
        return
    from stack.embedded.standalone import running_postgres  # noqa: PLC0415 - images have none

    with running_postgres(home) as url:
        yield load_settings(StorageSettings, database_url=url)

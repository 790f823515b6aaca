"""`llm-observe projects` and `llm-observe keys`: straight in the database, for the first key needs no key."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from stack.cli.database import storage_settings
from stack.errors import StackError
from storage import api_keys
from storage.pool import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID


def _with_database(work: Callable[[Database], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        database = Database(storage_settings())
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


@click.group()
def projects() -> None:
    """Make and list projects: every row belongs to one."""


@projects.command(name="create")
@click.argument("project_id")
@click.option("--name", default="", help="For people.")
def create_project(project_id: str, name: str) -> None:
    """Make a project: 1 to 63 lower-case letters, digits and hyphens."""
    if not api_keys.PROJECT_ID.fullmatch(project_id):
        raise StackError("a project is named by 1 to 63 lower-case letters, digits and hyphens")
    row = _with_database(
        lambda database: api_keys.create_project(database, project_id=project_id, display_name=name)
    )
    if row is None:
        raise StackError(f"there is a project {project_id} already")
    click.echo(
        f"made project {project_id}; its first key: llm-observe keys create {project_id} --role ingest"
    )


@projects.command(name="list")
def list_projects() -> None:
    """Show every project."""
    for row in _with_database(api_keys.list_projects):
        click.echo(f"{row['project_id']:32}  {row['display_name']}")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command(name="create")
@click.argument("project_id", default="default")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(api_keys.ROLES),
    help="May be repeated.",
)
@click.option("--name", default="", help="For people.")
@click.option(
    "--days", default=None, type=click.IntRange(1, 3650), help="How long it is good; without, for ever."
)
def create_key(project_id: str, roles: Sequence[str], name: str, days: int | None) -> None:
    """Make a key of a project and show it, this once."""
    expire_time = None if days is None else datetime.now(UTC) + timedelta(days=days)
    made = _with_database(
        lambda database: api_keys.create_api_key(
            database, project_id=project_id, roles=roles, display_name=name, expire_time=expire_time
        )
    )
    if made is None:
        raise StackError(f"there is no project {project_id}: llm-observe projects create {project_id}")
    click.echo("shown this once; only its hash is kept", err=True)
    click.echo(made.secret)


@keys.command(name="list")
@click.argument("project_id", default="default")
def list_keys(project_id: str) -> None:
    """Show a project's keys, newest first."""
    found = _with_database(lambda database: api_keys.list_api_keys(database, project_id))
    if not found:
        click.echo(f"no keys: llm-observe keys create {project_id} --role ingest")
    for row in found:
        click.echo(
            f"{row['api_key_id']}  {row['prefix']}…  {_state(row):8}  used {_shown(row['last_use_time'])}"
            f"  {','.join(row['roles']):24}  {row['display_name']}"
        )


@keys.command(name="revoke")
@click.argument("api_key_id", type=click.UUID)
def revoke_key(api_key_id: UUID) -> None:
    """End a key; servers refuse it within 5 seconds."""
    row = _with_database(lambda database: api_keys.revoke_api_key(database, api_key_id))
    if row is None:
        raise StackError("there is no such key: see `llm-observe keys list`")
    click.echo(f"revoked {row['prefix']}…")


def _state(row: Any) -> str:
    if row["revoke_time"] is not None:
        return "revoked"
    expired = row["expire_time"] is not None and row["expire_time"] <= datetime.now(UTC)
    return "expired" if expired else "good"


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment is not None else "never           "

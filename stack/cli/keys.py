"""`llm-observe keys`: works on the database, because creating the first key needs no key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from stack.cli.database import with_database
from stack.cli.output import print_table
from stack.errors import StackError
from storage import api_keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


@click.group()
def keys() -> None:
    """Create, list and revoke API keys."""


@keys.command(name="create")
@click.argument("project_id", default=api_keys.DEFAULT_PROJECT)
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(api_keys.ROLES),
    help="May be repeated.",
)
@click.option("--name", default="", help="Display name.")
@click.option(
    "--days", default=None, type=click.IntRange(1, 3650), help="Days until it expires (default: never)."
)
def create_key(project_id: str, roles: Sequence[str], name: str, days: int | None) -> None:
    """Create a key for a project and print it."""
    expire_time = None if days is None else datetime.now(UTC) + timedelta(days=days)
    created = with_database(
        lambda database: api_keys.create_api_key(
            database, project_id=project_id, roles=roles, display_name=name, expire_time=expire_time
        )
    )
    if created is None:
        raise StackError(_no_such_project(project_id))
    click.echo("copy the key now: it cannot be shown again", err=True)
    click.echo(created.secret)


@keys.command(name="list")
@click.argument("project_id", default=api_keys.DEFAULT_PROJECT)
def list_keys(project_id: str) -> None:
    """List a project's keys, newest first."""
    rows = with_database(lambda database: api_keys.list_api_keys(database, project_id))
    if not rows:
        if not with_database(lambda database: api_keys.list_projects(database, project_id)):
            raise StackError(_no_such_project(project_id))
        click.echo(f"no keys: create one with `llm-observe keys create {project_id} --role ingest`", err=True)
        return
    columns = ("id", "key", "state", "last used (UTC)", "roles", "name")
    print_table(columns, map(_describe, rows))


@keys.command(name="revoke")
@click.argument("api_key_id", type=click.UUID)
def revoke_key(api_key_id: UUID) -> None:
    """Revoke a key; servers refuse it within 5 seconds."""
    row = with_database(lambda database: api_keys.revoke_api_key(database, api_key_id))
    if row is None:
        raise StackError(f"API key {api_key_id} not found: see `llm-observe keys list`")
    click.echo(f"revoked {row.prefix}…")


def _no_such_project(project_id: str) -> str:
    return f"project {project_id} not found: create it with `llm-observe projects create {project_id}`"


def _describe(row: api_keys.ApiKey) -> tuple[str, ...]:
    used = row.last_use_time
    return (
        str(row.api_key_id),
        f"{row.prefix}…",
        _state(row),
        "never" if used is None else f"{used:%Y-%m-%d %H:%M}",
        ",".join(row.roles),
        row.display_name,
    )


def _state(row: api_keys.ApiKey) -> str:
    if row.revoke_time is not None:
        return "revoked"
    expired = row.expire_time is not None and row.expire_time <= datetime.now(UTC)
    return "expired" if expired else "active"

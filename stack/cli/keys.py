"""`llm-observe keys`: works on the database, because creating the first key needs no key."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from stack.cli.database import with_database
from stack.cli.output import hint, json_option, print_items
from stack.errors import StackError
from storage import api_keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from storage.pool import Database

_COLUMNS: Final = ("id", "key", "state", "last used (UTC)", "roles", "name")
_MAX_NAMED: Final = 10


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

    async def create(database: Database) -> api_keys.NewApiKey:
        created = await api_keys.create_api_key(
            database, project_id=project_id, roles=roles, display_name=name, expire_time=expire_time
        )
        if created is None:
            there = await _no_such_project(database, project_id)
            raise StackError(f"{there}; create it with `llm-observe projects create {project_id}`")
        return created

    created = with_database(create)
    hint("copy the key now: it cannot be shown again")
    click.echo(created.secret)


@keys.command(name="list")
@click.argument("project_id", default=api_keys.DEFAULT_PROJECT)
@json_option
def list_keys(*, project_id: str, as_json: bool) -> None:
    """List a project's keys, newest first."""
    rows = with_database(lambda database: _find_keys(database, project_id))
    nothing = f"no keys: create one with `llm-observe keys create {project_id} --role ingest`"
    print_items(rows, _COLUMNS, _describe, as_json=as_json, nothing=nothing, whole=_without_hash)


async def _find_keys(database: Database, project_id: str) -> Sequence[api_keys.ApiKey]:
    """Return the keys of a project.

    Raises:
        StackError: There is no such project; the message names those there are.
    """
    rows = await api_keys.list_api_keys(database, project_id)
    if not rows and not await api_keys.list_projects(database, project_id):
        raise StackError(await _no_such_project(database, project_id))
    return rows


@keys.command(name="revoke")
@click.argument("api_key_id", type=click.UUID)
def revoke_key(api_key_id: UUID) -> None:
    """Revoke a key.

    Servers refuse it within 5 seconds.
    """
    row = with_database(lambda database: api_keys.revoke_api_key(database, api_key_id))
    if row is None:
        raise StackError(f"API key {api_key_id} not found: see `llm-observe keys list`")
    click.echo(f"revoked {row.prefix}…")


async def _no_such_project(database: Database, project_id: str) -> str:
    projects = await api_keys.list_projects(database)
    names = [project.project_id for project in projects[:_MAX_NAMED]]
    more = ["and others (`llm-observe projects list`)"] if projects[_MAX_NAMED:] else []
    return f"project {project_id} not found; there are: {', '.join([*names, *more])}"


def _without_hash(row: api_keys.ApiKey) -> dict[str, object]:
    fields = asdict(row)
    del fields["secret_sha256"]
    return {**fields, "state": _state(row)}


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

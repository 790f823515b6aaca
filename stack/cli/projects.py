"""`llm-observe projects`: works on the database, because creating the first project needs no key."""

from __future__ import annotations

import click

from stack.cli.database import with_database
from stack.cli.output import print_table
from stack.errors import StackError
from storage import api_keys


@click.group()
def projects() -> None:
    """Create and list projects; every log belongs to one."""


@projects.command(name="create")
@click.argument("project_id")
@click.option("--name", default="", help="Display name.")
def create_project(project_id: str, name: str) -> None:
    """Create a project.

    PROJECT_ID is 1 to 63 lower-case letters, digits and hyphens.
    """
    if not api_keys.PROJECT_ID.fullmatch(project_id):
        raise StackError(f"a project id {api_keys.PROJECT_ID_RULE}")
    row = with_database(
        lambda database: api_keys.create_project(database, project_id=project_id, display_name=name)
    )
    if row is None:
        raise StackError(f"project {project_id} already exists")
    click.echo(
        f"created project {project_id}: create its first key with "
        f"`llm-observe keys create {project_id} --role ingest`"
    )


@projects.command(name="list")
def list_projects() -> None:
    """List all projects."""
    rows = with_database(api_keys.list_projects)
    print_table(("project", "name"), ((row.project_id, row.display_name) for row in rows))

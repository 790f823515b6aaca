"""`llm-observe projects`: works on the database, because creating the first project needs no key."""

from __future__ import annotations

from dataclasses import asdict

import click

from stack.cli.database import with_database
from stack.cli.output import hint, json_option, print_items
from stack.errors import StackError
from storage import api_keys


@click.group()
def projects() -> None:
    """Create and list projects."""


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
    click.echo(f"created project {project_id}")
    hint(f"create its first key with `llm-observe keys create {project_id} --role ingest`")


@projects.command(name="list")
@json_option
def list_projects(*, as_json: bool) -> None:
    """List all projects."""
    rows = with_database(api_keys.list_projects)
    print_items(
        rows,
        ("project", "name"),
        lambda row: (row.project_id, row.display_name),
        as_json=as_json,
        whole=asdict,
    )

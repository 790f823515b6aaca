"""`llm-observe erase`: takes a user out of everything that is stored."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Final

import click

from analytics.lake.store import LakeUnavailable
from codec.settings import RedactionSettings
from stack.cli.database import with_database
from stack.cli.lake import lake_of_environment
from stack.cli.output import json_option, print_items, reporting
from stack.errors import StackError
from storage.api_keys import DEFAULT_PROJECT
from storage.log_erasure import list_erasures
from telemetry.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.lake import HourKey
    from storage.log_erasure import Erasure, Found
    from storage.pool import Database

_TIMEOUT_S: Final = 3600.0
_COLUMNS: Final = (
    "id", "began (UTC)", "finished", "project", "operator",
    "logs", "conversations", "messages", "dead letters", "files",
)  # fmt: skip


@click.command()
@click.option("--user", help="The user's id, as applications send it.")
@click.option("--project", default=DEFAULT_PROJECT, show_default=True, help="The user's project.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what there is of the user.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--operator", default="", help="Who asks for it, for the record; by default this machine's user."
)
@click.option(
    "--without-lake", is_flag=True, help="Leave alone the lake's files of days that retention dropped."
)
@click.option("--list", "lists", is_flag=True, help="List the erasures that were made.")
@json_option
def erase(
    *,
    user: str | None,
    project: str,
    dry_run: bool,
    yes: bool,
    operator: str,
    without_lake: bool,
    lists: bool,
    as_json: bool,
) -> None:
    """Erase a user.

    Conversations and messages are deleted. Logs stay as calls in which nobody is named and nothing is quoted,
    so that all numbers stay. docs/operations.md says what else may name a user. Repeating is safe.
    """
    if lists:
        erasures = with_database(lambda database: list_erasures(database, 1000))
        nothing = "nobody was erased"
        print_items(erasures, _COLUMNS, _row, as_json=as_json, nothing=nothing, whole=_whole)
        return
    if not user:
        raise click.UsageError("give --user, or --list")
    _check_user(user)
    found, files = _find(project, user, without_lake=without_lake)
    click.echo(_describe(found, files))
    if dry_run or not (found or files):
        return
    if not yes:
        click.confirm(f"Erase this user of the project {project}? It cannot be undone.", abort=True)
    _erase(project, user, operator or _account(), without_lake=without_lake)


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _check_user(user: str) -> None:
    """Refuse an id that is not stored as it is.

    Raises:
        StackError: It is redacted: many users share what is stored in place of it.
    """
    stored = load_settings(RedactionSettings).make_redactor().redact_field("user_id", user)
    if stored != user:
        raise StackError(
            f"ids like this one are stored as {stored}: nothing tells this user from others in what is stored"
        )


def _find(project: str, user: str, *, without_lake: bool) -> tuple[Found, Sequence[HourKey]]:
    from stack.erasure import UserErasure  # noqa: PLC0415 - pyarrow takes a while to import

    lake = lake_of_environment(without=without_lake)
    with reporting() as report:

        async def find(database: Database) -> tuple[Found, Sequence[HourKey]]:
            return await UserErasure(database, lake, _TIMEOUT_S, report).find(project, user)

        try:
            return with_database(find, timeout_s=_TIMEOUT_S)
        except LakeUnavailable as error:
            raise StackError(f"the lake cannot be read: {error}") from error


def _erase(project: str, user: str, operator: str, *, without_lake: bool) -> None:
    from stack.erasure import UserErasure  # noqa: PLC0415 - as above

    lake = lake_of_environment(without=without_lake)
    with reporting() as report:

        async def run(database: Database) -> tuple[str, Found]:
            erasure = UserErasure(database, lake, _TIMEOUT_S, report)
            erased = await erasure.erase(project, user, operator)
            counts = ", ".join(f"{count} {name}" for name, count in zip(_COLUMNS[5:], erased, strict=True))
            left, _ = await erasure.find(project, user)
            return counts, left

        try:
            counts, left = with_database(run, timeout_s=_TIMEOUT_S)
        except LakeUnavailable as error:
            raise StackError(f"not all is erased, repeat this command: {error}") from error
    click.echo(f"erased: {counts}")
    if left:
        raise StackError(
            f"{left.log_count} more logs of this user have come meanwhile: repeat this command when they stop"
        )


def _describe(found: Found, files: Sequence[HourKey]) -> str:
    conversations = len(found.user.conversation_ids)
    return (
        f"{found.log_count} logs, {conversations} conversations with {found.message_count} messages,"
        f" {found.dead_letter_count} dead letters, {len(files)} files of days that retention dropped"
    )


def _whole(each: Erasure) -> dict[str, object]:
    return {**each._asdict(), "user_sha256": each.user_sha256.hex()}


def _row(each: Erasure) -> tuple[str | int, ...]:
    return (
        str(each.erasure_id),
        each.create_time.isoformat(" ", "seconds"),
        each.finish_time.isoformat(" ", "seconds") if each.finish_time else "interrupted or running",
        each.project_id,
        each.operator,
        each.log_count,
        each.conversation_count,
        each.message_count,
        each.dead_letter_count,
        each.lake_file_count,
    )

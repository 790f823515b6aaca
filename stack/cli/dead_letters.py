"""`llm-observe dead-letters`: inspect, replay or discard logs that could not be stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import click
from llm_observe.v1 import admin_service_pb2 as pb

from stack.cli.output import print_table, progress
from stack.cli.server import admin_service
from storage.dead_letters import KILLED_WORKER

if TYPE_CHECKING:
    from collections.abc import Callable

_TIMEOUT_S: Final = 10.0
_REPLAY_TIMEOUT_S: Final = 3600.0
_REASON_HELP: Final = f"Select this reason only, such as {KILLED_WORKER}."
_COLUMNS: Final = ("id", "last attempt (UTC)", "reason", "logs", "message")

_Command = TypeVar("_Command", bound="Callable[..., None]")


@click.group(name="dead-letters")
def dead_letters() -> None:
    """Inspect, replay or discard dead letters."""


def _filter_arguments(command: _Command) -> _Command:
    """Add the arguments from which ``_make_filter`` makes a filter."""
    command = click.option("--all", "everything", is_flag=True, help="Select all waiting dead letters.")(
        command
    )
    command = click.option("--reason", default="", help=_REASON_HELP)(command)
    return click.argument("ids", nargs=-1)(command)


def _make_filter(ids: tuple[str, ...], reason: str, *, everything: bool) -> pb.DeadLetterFilter:
    if not (ids or reason or everything):
        raise click.UsageError("give the ids of dead letters, or use --reason or --all")
    return pb.DeadLetterFilter(dead_letter_ids=ids, reason=reason)


@dead_letters.command(name="list")
@click.option("--reason", default="", help=_REASON_HELP)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
def list_letters(reason: str, limit: int) -> None:
    """List waiting dead letters, newest first."""
    request = pb.ListDeadLettersRequest(filter=pb.DeadLetterFilter(reason=reason), page_size=limit)
    with admin_service() as admin:
        response = admin.ListDeadLetters(request, timeout=_TIMEOUT_S)
    if not response.dead_letters:
        click.echo("no dead letters are waiting", err=True)
        return
    print_table(_COLUMNS, map(_row, response.dead_letters))
    if response.next_page_token:
        click.echo("there are more: use a larger --limit", err=True)


def _row(letter: pb.DeadLetter) -> tuple[str | int, ...]:
    last_attempt = letter.last_attempt_time.ToDatetime().isoformat(" ", "seconds")
    return (letter.dead_letter_id, last_attempt, letter.reason, letter.log_count, letter.message)


@dead_letters.command()
@click.argument("dead_letter_id")
def show(dead_letter_id: str) -> None:
    """Show one dead letter and its redacted payload."""
    with admin_service() as admin:
        request = pb.GetDeadLetterRequest(dead_letter_id=dead_letter_id)
        click.echo(admin.GetDeadLetter(request, timeout=_TIMEOUT_S).dead_letter)


@dead_letters.command()
@_filter_arguments
def replay(ids: tuple[str, ...], reason: str, everything: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Queue dead letters again.

    Repeating is safe. A log that fails again becomes a dead letter again.
    """
    request = pb.ReplayDeadLettersRequest(filter=_make_filter(ids, reason, everything=everything))
    replayed = 0
    with admin_service() as admin, progress("replaying dead letters") as update:
        for response in admin.ReplayDeadLetters(request, timeout=_REPLAY_TIMEOUT_S):
            replayed = response.replayed_count
            update(replayed, response.total_count)
    click.echo(f"{replayed} queued again")


@dead_letters.command()
@_filter_arguments
@click.confirmation_option(prompt="Discard them permanently?")
def discard(ids: tuple[str, ...], reason: str, everything: bool) -> None:  # noqa: FBT001 - as above
    """Discard dead letters permanently.

    They stay in the ledger.
    """
    request = pb.DiscardDeadLettersRequest(filter=_make_filter(ids, reason, everything=everything))
    with admin_service() as admin:
        response = admin.DiscardDeadLetters(request, timeout=_TIMEOUT_S)
    click.echo(f"{response.discarded_count} discarded")

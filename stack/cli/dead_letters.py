"""`llm-observe dead-letters`: look at what could not be stored, and decide what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
from llm_observe.v1 import admin_service_pb2 as pb
from tqdm import tqdm

from stack.cli.server import admin_service

if TYPE_CHECKING:
    from collections.abc import Callable

_TIMEOUT_S: Final = 10.0
_REPLAY_TIMEOUT_S: Final = 3600.0


@click.group(name="dead-letters")
def dead_letters() -> None:
    """See, replay or discard what could not be stored."""


def _choose(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments that say which."""
    for decorate in (
        click.argument("ids", nargs=-1),
        click.option("--reason", default="", help="Only this reason, such as killed_worker."),
        click.option("--all", "everything", is_flag=True, help="All that wait."),
    ):
        command = decorate(command)
    return command


def _which(ids: tuple[str, ...], reason: str, *, everything: bool) -> pb.DeadLetterFilter:
    if not (ids or reason or everything):
        raise click.UsageError("say which: ids, --reason or --all")
    return pb.DeadLetterFilter(dead_letter_ids=ids, reason=reason)


@dead_letters.command(name="list")
@click.option("--reason", default="", help="Only this reason, such as killed_worker.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
def list_letters(reason: str, limit: int) -> None:
    """Show those that wait, newest first."""
    asked = pb.ListDeadLettersRequest(filter=pb.DeadLetterFilter(reason=reason), page_size=limit)
    with admin_service() as admin:
        found = admin.ListDeadLetters(asked, timeout=_TIMEOUT_S)
    for letter in found.dead_letters:
        when = letter.last_attempt_time.ToDatetime().isoformat(" ", "seconds")
        logs = f"{letter.log_count} log{'' if letter.log_count == 1 else 's'}"
        click.echo(f"{letter.dead_letter_id}  {when}  {letter.reason:16}  {logs:>8}  {letter.message}")
    if not found.dead_letters:
        click.echo("no dead letters wait")
    elif found.next_page_token:
        click.echo("more wait: see them with a larger --limit")


@dead_letters.command()
@click.argument("dead_letter_id")
def show(dead_letter_id: str) -> None:
    """Show one with its redacted payload."""
    with admin_service() as admin:
        asked = pb.GetDeadLetterRequest(dead_letter_id=dead_letter_id)
        click.echo(admin.GetDeadLetter(asked, timeout=_TIMEOUT_S).dead_letter)


@dead_letters.command()
@_choose
def replay(ids: tuple[str, ...], reason: str, everything: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Queue them again. Repeating is safe; what fails again waits again."""
    which = _which(ids, reason, everything=everything)
    replayed = 0
    with admin_service() as admin, tqdm(unit=" dead letters", disable=None) as bar:
        request = pb.ReplayDeadLettersRequest(filter=which)
        for progress in admin.ReplayDeadLetters(request, timeout=_REPLAY_TIMEOUT_S):
            bar.total = progress.total_count
            bar.update(progress.replayed_count - replayed)
            replayed = progress.replayed_count
    click.echo(f"{replayed} queued again")


@dead_letters.command()
@_choose
@click.confirmation_option(prompt="Give them up for good?")
def discard(ids: tuple[str, ...], reason: str, everything: bool) -> None:  # noqa: FBT001 - as above
    """Give them up for good; they stay in the ledger."""
    which = _which(ids, reason, everything=everything)
    with admin_service() as admin:
        answer = admin.DiscardDeadLetters(pb.DiscardDeadLettersRequest(filter=which), timeout=_TIMEOUT_S)
    click.echo(f"{answer.discarded_count} discarded")

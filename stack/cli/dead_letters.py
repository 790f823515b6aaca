"""`llm-observe dead-letters`: inspect, replay or discard logs that could not be stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeVar

import click
from llm_observe.v1 import admin_service_pb2 as pb

from stack.cli.output import hint, json_option, print_fields, print_items, print_json, progress
from stack.cli.server import admin_service, find_server
from stack.cli.to_json import fields_of
from stack.cli.units import count_of
from storage.dead_letters import KILLED_WORKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.timestamp_pb2 import Timestamp
    from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub

_TIMEOUT_S: Final = 10.0
_REPLAY_TIMEOUT_S: Final = 3600.0
_MAX_PAGE: Final = 1000
"""Dead letters of a page, and ids of a filter."""
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
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many at most."
)
@json_option
def list_letters(*, reason: str, limit: int, as_json: bool) -> None:
    """List waiting dead letters, newest first."""
    request = pb.ListDeadLettersRequest(filter=pb.DeadLetterFilter(reason=reason), page_size=limit)
    with admin_service() as admin:
        response = admin.ListDeadLetters(request, timeout=_TIMEOUT_S)
    nothing = "no dead letters are waiting"
    print_items(response.dead_letters, _COLUMNS, _row, as_json=as_json, nothing=nothing)
    if response.next_page_token:
        hint("there are more: use a larger --limit")


def _row(letter: pb.DeadLetter) -> tuple[str | int, ...]:
    return (
        letter.dead_letter_id,
        _time(letter.last_attempt_time),
        letter.reason,
        letter.log_count,
        letter.message,
    )


@dead_letters.command()
@click.argument("dead_letter_id")
@json_option
def show(*, dead_letter_id: str, as_json: bool) -> None:
    """Show a dead letter and its redacted payload."""
    with admin_service() as admin:
        request = pb.GetDeadLetterRequest(dead_letter_id=dead_letter_id)
        letter = admin.GetDeadLetter(request, timeout=_TIMEOUT_S).dead_letter
    payload = json.loads(letter.payload_json)
    if as_json:
        fields = fields_of(letter)
        del fields["payload_json"]
        print_json({**fields, "payload": payload})
        return
    print_fields(_fields(letter))
    click.echo("payload")
    print_json(payload)


def _fields(letter: pb.DeadLetter) -> Iterator[tuple[str, str | int]]:
    yield "id", letter.dead_letter_id
    yield "state", pb.DeadLetterState.Name(letter.state).removeprefix("DEAD_LETTER_STATE_").lower()
    yield "reason", letter.reason
    yield "message", letter.message
    yield "logs", letter.log_count
    if letter.log_id:
        yield "log id", letter.log_id
    yield "producer", letter.producer_id
    yield "attempts", letter.attempt_count
    yield "first attempt (UTC)", _time(letter.first_attempt_time)
    yield "last attempt (UTC)", _time(letter.last_attempt_time)


def _time(time: Timestamp) -> str:
    return time.ToDatetime().isoformat(" ", "seconds")


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
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard(*, ids: tuple[str, ...], reason: str, everything: bool, yes: bool) -> None:
    """Discard dead letters permanently.

    They stay in the ledger.
    """
    selected = [_make_filter(ids, reason, everything=everything)]
    with admin_service() as admin:
        if not yes:
            selected = _confirm(admin, selected[0])
        requests = [pb.DiscardDeadLettersRequest(filter=each) for each in selected]
        count = sum(admin.DiscardDeadLetters(each, timeout=_TIMEOUT_S).discarded_count for each in requests)
    click.echo(f"{count} discarded")


def _confirm(admin: AdminServiceStub, selected: pb.DeadLetterFilter) -> list[pb.DeadLetterFilter]:
    """Say how many there are, and ask; return filters of these alone, and not of those that come meanwhile.

    Raises:
        click.Abort: The answer is no.
    """
    letters = _find_all(admin, selected)
    if letters:
        logs = count_of(sum(letter.log_count for letter in letters), "log")
        what = f"{count_of(len(letters), 'dead letter')} with {logs}"
        click.confirm(f"Permanently discard {what} at {find_server()}?", abort=True)
    ids = [letter.dead_letter_id for letter in letters]
    starts = range(0, len(ids), _MAX_PAGE)
    return [pb.DeadLetterFilter(dead_letter_ids=ids[start : start + _MAX_PAGE]) for start in starts]


def _find_all(admin: AdminServiceStub, selected: pb.DeadLetterFilter) -> list[pb.DeadLetter]:
    """Return all dead letters that a filter selects, without payloads."""
    request = pb.ListDeadLettersRequest(filter=selected, page_size=_MAX_PAGE)
    letters: list[pb.DeadLetter] = []
    while True:
        response = admin.ListDeadLetters(request, timeout=_TIMEOUT_S)
        letters += response.dead_letters
        request.page_token = response.next_page_token
        if not request.page_token:
            return letters

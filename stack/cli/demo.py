"""`llm-observe demo-traffic`: logs to look at."""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
import grpc

from stack.cli.database import with_database
from stack.cli.output import progress
from stack.cli.program import name_program
from stack.cli.server import server_channel
from stack.errors import StackError
from storage.api_keys import DEFAULT_PROJECT
from storage.log_deletion import HourOfLogs, count_by_hour, delete_logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stack.demo.sending import Settled
    from storage.pool import Database

_HOW_TO_REMOVE: Final = "`llm-observe demo-traffic --remove` deletes them"
_BATCH: Final = 500
_DELETE_TIMEOUT_S: Final = 3600.0


@click.command(name="demo-traffic")
@click.option("--logs", default=20_000, show_default=True, type=click.IntRange(1, 200_000), help="How many.")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 30), help="How far back.")
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same calls.")
@click.option("--live", is_flag=True, help="Send calls as they happen, until Ctrl-C, in place of a history.")
@click.option(
    "--rate",
    default=3.0,
    show_default=True,
    type=click.FloatRange(0.01, 100),
    help="With --live: calls a second.",
)
@click.option("--remove", is_flag=True, help="Delete all demo calls, and take them out of every number.")
@click.option("--project", default=DEFAULT_PROJECT, show_default=True, help="With --remove: the project.")
@click.option("--yes", is_flag=True, help="With --remove: do not ask.")
def demo_traffic(
    *, logs: int, days: int, seed: int, live: bool, rate: float, remove: bool, project: str, yes: bool
) -> None:
    """Send calls of an invented application.

    Seven days of them, or with --live calls as they happen. All are in the environment `demo`, which keeps
    them apart from yours; --remove deletes them again.
    """
    if remove and live:
        raise click.UsageError("--remove and --live exclude each other")
    if remove:
        _remove(project, ask=not yes)
    elif live:
        _send_live(seed, rate)
    else:
        _send_history(seed, logs, days)


def _send_history(seed: int, count: int, days: int) -> None:
    from stack.demo.sending import Producer  # noqa: PLC0415 - other commands need none of it
    from stack.demo.traffic import make_history  # noqa: PLC0415 - as above

    history = make_history(seed, count, datetime.now(UTC), days)
    with server_channel() as channel:
        producer = Producer(channel)
        with progress("sending", count) as update:
            for start in range(0, count, _BATCH):
                producer.send(history[start : start + _BATCH])
                update(producer.sent, None)
        with progress("storing", count) as update:
            settled = producer.wait_until_settled(lambda known: update(known, None))
    click.echo(name_program(_summary(producer.sent, settled)))
    if settled is not None and settled.stored != count:
        raise StackError("not all of them are stored: `llm-observe ledger` and `llm-observe status` say more")


def _summary(sent: int, settled: Settled | None) -> str:
    if settled is None:
        return f"{sent} logs sent; the API key may not ask how many are stored"
    others = {name: number for name, number in settled._asdict().items() if name != "stored" and number}
    counts = "".join(f", {number} {name.replace('_', '-')}" for name, number in others.items())
    return f"{sent} logs sent, {settled.stored} stored{counts}; {_HOW_TO_REMOVE}"


def _send_live(seed: int, rate: float) -> None:
    from stack.demo.sending import Producer  # noqa: PLC0415 - as above
    from stack.demo.traffic import live_calls  # noqa: PLC0415 - as above

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    click.echo(f"sending about {rate:g} calls a second; Ctrl-C stops", err=True)
    with server_channel() as channel, progress("live") as update:
        producer = Producer(channel, wait=stop.wait)
        for ended_s, log in live_calls(seed, rate, time.time()):
            if stop.wait(max(0.0, ended_s - time.time())):
                break
            try:
                producer.send([log])
            except grpc.RpcError:
                if not stop.is_set():
                    raise
                break
            update(producer.sent, None)
    click.echo(name_program(f"stopped: {producer.sent} logs sent; {_HOW_TO_REMOVE}"))


def _remove(project: str, *, ask: bool) -> None:
    from stack.demo.calls import ENVIRONMENT  # noqa: PLC0415 - as above

    async def find(database: Database) -> Sequence[HourOfLogs]:
        return await count_by_hour(database, project_id=project, environment=ENVIRONMENT)

    hours = with_database(find, timeout_s=_DELETE_TIMEOUT_S)
    count = sum(hour.log_count for hour in hours)
    question = f"Delete {count} logs of the environment {ENVIRONMENT} in the project {project}?"
    if ask and count:
        click.confirm(question, abort=True)

    async def delete(database: Database) -> int:
        with progress("deleting", count) as update:
            return await delete_logs(
                database,
                hours,
                project_id=project,
                environment=ENVIRONMENT,
                on_progress=lambda done: update(done, None),
            )

    click.echo(f"{with_database(delete, timeout_s=_DELETE_TIMEOUT_S)} demo logs deleted")
    if left := sum(hour.log_count for hour in with_database(find, timeout_s=_DELETE_TIMEOUT_S)):
        raise StackError(f"{left} more have come meanwhile: stop what sends them, and repeat this command")

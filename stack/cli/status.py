"""`llm-observe status`: the health of a deployment, and the processes that `llm-observe up` started."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from stack.cli.deployment import DEGRADED, DOWN, HEALTHY, Deployment, look
from stack.cli.output import json_option, print_json, print_table
from stack.cli.program import name_program
from stack.cli.units import format_duration, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.duration_pb2 import Duration
    from llm_observe.v1.health_service_pb2 import CheckResponse

    from stack.cli.deployment import RunningProcess

_EXIT_CODES: Final = {HEALTHY: 0, DEGRADED: 3, DOWN: 1}
_COLUMNS: Final = ("process", "PID", "up since (UTC)", "memory")
_COLOURS: Final = {HEALTHY: "green", DEGRADED: "yellow", DOWN: "red"}
_WATCH_S: Final = 2.0


@click.command()
@json_option
@click.option("--watch", is_flag=True, help="Show it again every 2 seconds, until Ctrl-C.")
def status(*, as_json: bool, watch: bool) -> None:
    """Show processes, health and queue.

    Asks the server that LLM_OBSERVE_ENDPOINT names, or the one on this machine. Exits with status 0 if all is
    healthy, 3 if something is degraded, and 1 if the server or a store is down.
    """
    deployment = look()
    with suppress(KeyboardInterrupt):
        while watch:
            click.clear()
            _show(deployment, as_json=as_json, on_one_line=True)
            time.sleep(_WATCH_S)
            deployment = look()
    if not watch:
        _show(deployment, as_json=as_json)
    raise SystemExit(_EXIT_CODES[deployment.state])


def _show(deployment: Deployment, *, as_json: bool, on_one_line: bool = False) -> None:
    if as_json:
        print_json(_as_json(deployment), indent=None if on_one_line else 2)
        return
    if deployment.processes:
        print_table(_COLUMNS, map(_row, deployment.processes))
    if deployment.health is not None:
        click.echo(" · ".join(_facts(deployment.health)))
    if deployment.endpoint is not None:
        click.echo(f"server {deployment.endpoint}")
    click.echo(_verdict(deployment))


def _as_json(deployment: Deployment) -> dict[str, object]:
    endpoint = deployment.endpoint
    return {
        "state": deployment.state,
        "reasons": deployment.reasons,
        "server": None if endpoint is None else endpoint._asdict(),
        "processes": [process._asdict() for process in deployment.processes],
        "health": deployment.health,
    }


def _row(process: RunningProcess) -> tuple[str | int, ...]:
    if process.start_time is None:
        return (process.name, process.pid, "ended", "")
    since = f"{process.start_time:%Y-%m-%d %H:%M:%S}"
    return (process.name, process.pid, since, format_size(process.memory_bytes))


def _facts(health: CheckResponse) -> Iterator[str]:
    for part in health.dependencies:
        yield f"{part.name} {_duration(part.latency) if part.HasField('latency') else part.message}"
    if health.HasField("queue"):
        queue = health.queue
        oldest = _duration(queue.oldest_age) if queue.HasField("oldest_age") else "\N{EN DASH}"
        yield f"queue {queue.depth} (oldest {oldest})"
        yield f"workers {queue.consumer_count}"
    if health.HasField("dead_letter_count"):
        yield f"dead letters {health.dead_letter_count}"
    yield f"version {health.version}"
    up = datetime.now(UTC) - health.start_time.ToDatetime(tzinfo=UTC)
    yield f"up {format_duration(max(1.0, up.total_seconds()))}"


def _duration(value: Duration) -> str:
    return format_duration(value.ToMicroseconds() / 1e6)


def _verdict(deployment: Deployment) -> str:
    reasons = f": {'; '.join(deployment.reasons)}" if deployment.reasons else ""
    state = click.style(deployment.state, fg=_COLOURS[deployment.state], bold=True)
    return f"{state}{name_program(reasons)}"

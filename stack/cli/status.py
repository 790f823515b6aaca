"""`llm-observe status`: running processes and their health."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click
from llm_observe.v1.health_service_pb2 import HealthState

from stack import readiness
from stack.cli.output import print_table
from stack.data_dir import DataDir
from stack.errors import StackError
from stack.processes import ProcessId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe.v1.health_service_pb2 import CheckResponse

    from stack.data_dir import State


@click.command()
def status() -> None:
    """Show running processes and their health."""
    home = DataDir.from_env()
    state = home.read_state()
    if home.running_supervisor() is None:
        raise StackError(f"nothing is running from {home.root}: start it with `llm-observe up`")
    print_table(("process", "PID", "state"), _processes(state))
    health = asyncio.run(readiness.ask_health(state["ports"]["grpc"]))
    if health is None:
        raise StackError(f"the server does not answer: see its log in {home.logs}")
    print_table(("component", "state", "details"), _parts(health))


def _processes(state: State) -> Iterator[tuple[str, int, str]]:
    for entry in state["processes"]:
        running = ProcessId(entry["pid"], entry["create_time"]).find() is not None
        yield entry["name"], entry["pid"], "running" if running else "ended"


def _parts(health: CheckResponse) -> Iterator[tuple[str, str, str]]:
    started = health.start_time.ToDatetime().isoformat(" ", "seconds")
    yield "server", _word(health.state), f"version {health.version}, started {started} UTC"
    for part in health.dependencies:
        latency = f"{part.latency.ToMicroseconds() / 1000:.1f} ms"
        yield part.name, _word(part.state), latency if part.HasField("latency") else part.message
    if health.HasField("queue"):
        queue = health.queue
        age = f", the oldest {queue.oldest_age.ToSeconds()} s old" if queue.HasField("oldest_age") else ""
        yield "queue", "", f"{queue.depth} batches{age}; live workers: {queue.consumer_count}"
    if health.HasField("dead_letter_count"):
        yield "dead letters", "", str(health.dead_letter_count)


def _word(state: HealthState.ValueType) -> str:
    return HealthState.Name(state).removeprefix("HEALTH_STATE_").lower()

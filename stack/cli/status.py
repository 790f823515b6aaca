"""`llm-observe status`: the health of a deployment, and the processes that `llm-observe up` started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
import grpc
from llm_observe.channel import connection_problem
from llm_observe.v1.health_service_pb2 import HealthState

from stack import readiness
from stack.cli.output import print_table
from stack.cli.server import server_endpoint
from stack.data_dir import DataDir
from stack.errors import StackError
from stack.processes import ProcessId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe.v1.health_service_pb2 import CheckResponse

    from stack.data_dir import State

_UNHEALTHY: Final = 4
_EXIT_CODES: Final = {HealthState.HEALTH_STATE_HEALTHY: 0, HealthState.HEALTH_STATE_DEGRADED: 3}


@click.command()
def status() -> None:
    """Show the health of the server, its stores and its queue.

    Asks the server that LLM_OBSERVE_ENDPOINT names, or the one on this machine. Exits with status 0 if all is
    healthy, 1 if the server does not answer, 3 if something is degraded, and 4 if something is unhealthy.
    """
    home = DataDir.from_env()
    is_running = home.running_supervisor() is not None
    if is_running:
        print_table(("process", "PID", "state"), _processes(home.read_state()))
    endpoint = server_endpoint()
    hint = (
        f"see the server's log in {home.logs}"
        if is_running
        else "start everything with `llm-observe up`, or set LLM_OBSERVE_ENDPOINT to the server's address"
    )
    health = _ask_health(endpoint, hint)
    print_table(("component", "state", "details"), _parts(health))
    if code := _EXIT_CODES.get(health.state, _UNHEALTHY):
        raise SystemExit(code)


def _ask_health(endpoint: str, hint: str) -> CheckResponse:
    try:
        return readiness.query_health(endpoint)
    except grpc.RpcError as error:
        raise StackError(f"no answer from {endpoint}: {connection_problem(error) or hint}") from None
    except OSError as error:
        raise StackError(f"cannot read {error.filename}: {error.strerror}") from None


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

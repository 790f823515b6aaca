"""What is known of a deployment: its server's health, and the processes on this machine."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
import psutil
from llm_observe.channel import connection_problem
from llm_observe.v1.health_service_pb2 import HealthState

from stack import readiness
from stack.cli.server import find_server, local_server
from stack.data_dir import DataDir
from stack.errors import StackError
from stack.processes import ProcessId

if TYPE_CHECKING:
    from llm_observe.v1.health_service_pb2 import CheckResponse

    from stack.cli.server import Endpoint
    from stack.data_dir import ProcessEntry

HEALTHY: Final = "healthy"
DEGRADED: Final = "degraded"
DOWN: Final = "down"


class RunningProcess(NamedTuple):
    """A process of `llm-observe up`, with those that it started."""

    name: str
    pid: int
    start_time: datetime | None
    """None once it has ended."""
    memory_bytes: int


class Deployment(NamedTuple):
    """What is known of a deployment."""

    state: str
    """HEALTHY, DEGRADED or DOWN."""
    reasons: list[str]
    """Why it is not healthy, for people."""
    endpoint: Endpoint | None
    """None where no server is known."""
    processes: list[RunningProcess]
    """Empty for a server that `llm-observe up` did not start from the data folder."""
    health: CheckResponse | None
    """None where the server does not answer."""


def look() -> Deployment:
    """Ask the server that commands speak to, and look for its processes.

    Raises:
        StackError: A TLS file cannot be read.
    """
    try:
        endpoint = find_server()
    except StackError as error:
        return Deployment(DOWN, [str(error)], None, [], None)
    home = DataDir.from_env()
    processes = _find_processes(home, endpoint)
    try:
        health = _ask_health(endpoint)
    except grpc.RpcError as error:
        hint = f"see the logs in {home.logs}" if processes else "is it running?"
        reason = f"no answer from {endpoint.address}: {connection_problem(error) or hint}"
        return Deployment(DOWN, [reason], endpoint, processes, None)
    ended = [f"{process.name} ended" for process in processes if process.start_time is None]
    state = _state_of(health, any_ended=bool(ended))
    return Deployment(
        state, [*ended, *(problem.message for problem in health.problems)], endpoint, processes, health
    )


def _ask_health(endpoint: Endpoint) -> CheckResponse:
    try:
        return readiness.query_health(endpoint.address)
    except OSError as error:
        raise StackError(f"cannot read {error.filename}: {error.strerror}") from None


def _find_processes(home: DataDir, endpoint: Endpoint) -> list[RunningProcess]:
    state = home.read_state()
    own = local_server(state.get("ports", {}).get("grpc", 0))
    if endpoint.address != own or home.running_supervisor() is None:
        return []
    return [
        _look_at("supervisor", state["supervisor"]),
        *(_look_at(each["name"], each) for each in state["processes"]),
    ]


def _look_at(name: str, entry: ProcessEntry) -> RunningProcess:
    process = ProcessId(entry["pid"], entry["create_time"]).find()
    with suppress(psutil.Error):
        if process is not None:
            started = datetime.fromtimestamp(process.create_time(), UTC)
            children = [] if name == "supervisor" else process.children(recursive=True)
            return RunningProcess(name, process.pid, started, _memory([process, *children]))
    return RunningProcess(name, entry["pid"], None, 0)


def _memory(processes: list[psutil.Process]) -> int:
    """Return what a process and its children take, their shared memory once."""
    private, shared = 0, 0
    for process in processes:
        with suppress(psutil.Error):
            info = process.memory_info()
            part = getattr(info, "shared", 0)  # Linux alone tells
            private += info.rss - part
            shared = max(shared, part)
    return private + shared


def _state_of(health: CheckResponse, *, any_ended: bool) -> str:
    if health.state == HealthState.HEALTH_STATE_HEALTHY:
        return DEGRADED if any_ended else HEALTHY
    return DEGRADED if health.state == HealthState.HEALTH_STATE_DEGRADED else DOWN

"""What health answers in each state in which something is wrong: python -m benchmarks.health_states.

Real stores are brought into each state; nothing is measured. It takes two minutes, of which one is the age
from which a batch counts as late.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import asyncpg
import grpc
import psutil
from llm_observe.v1.health_service_pb2 import CheckRequest, CheckResponse, HealthState
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from redis.asyncio import Redis

from tests.chaos.states import STATES, Enter, configured
from tests.support.logs import make_log, make_request
from tests.support.machine import Machine, machine
from tests.support.ports import free_port
from tests.support.rpc import RPC_TIMEOUT_S, stub
from tests.support.waiting import eventually
from worker.queue.redis_health import SYNCED_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_QUEUE = "llm_observe:logs"
_LOW_BYTES = 2_000_000_000


@asynccontextmanager
async def _without_worker(port: int, services: Machine) -> AsyncIterator[None]:
    """Stop the worker, and send a log that waits."""
    services.stop("worker")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await stub(IngestServiceStub, channel).IngestLogs(make_request(make_log()), timeout=RPC_TIMEOUT_S)
    try:
        yield
    finally:
        services.restart("worker")


@asynccontextmanager
async def _unsynced(services: Machine) -> AsyncIterator[None]:
    async with Redis.from_url(services.env["REDIS_URL"]) as redis:
        await redis.delete(SYNCED_KEY)
        try:
            yield
        finally:
            await redis.set(SYNCED_KEY, "1")


@asynccontextmanager
async def _with_dead_letter(services: Machine) -> AsyncIterator[None]:
    async with Redis.from_url(services.env["REDIS_URL"]) as redis:
        await redis.xadd(_QUEUE, {"data": b"no message"})
    try:
        yield
    finally:
        sql = await asyncpg.connect(services.env["DATABASE_URL"])
        await sql.execute("DELETE FROM dead_letters")
        await sql.close()


def _small_disk() -> str:
    """Return where a file system is mounted that is nearly full, or so small that it is taken for it."""
    for disk in psutil.disk_partitions(all=True):
        try:
            if 0 < psutil.disk_usage(disk.mountpoint).free < _LOW_BYTES:
                return disk.mountpoint
        except OSError:
            continue
    return ""


async def _ask(port: int) -> CheckResponse | None:
    """Return the answer, if the server is up."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            found: CheckResponse = await stub(HealthServiceStub, channel).Check(
                CheckRequest(), timeout=RPC_TIMEOUT_S
            )
        except grpc.aio.AioRpcError:
            return None
    return found


async def _named(port: int, kind: str) -> CheckResponse | None:
    found = await _ask(port)
    return found if found and kind in {problem.kind for problem in found.problems} else None


async def _healthy(port: int) -> CheckResponse | None:
    found = await _ask(port)
    return found if found and not found.problems else None


async def _show(name: str, kind: str, entered: AbstractAsyncContextManager[None], port: int) -> None:
    async with entered:
        _print(name, await eventually(partial(_named, port, kind)))
    await eventually(partial(_healthy, port))


def _print(name: str, found: CheckResponse) -> None:
    print(f"{name}: {HealthState.Name(found.state).removeprefix('HEALTH_STATE_')}", flush=True)
    for problem in found.problems:
        print(f"  {problem.kind}: {problem.message}", flush=True)


async def run(services: Machine, port: int, port_of_small: int) -> None:
    """Print the answer in each state, and that all is well between them."""
    _print("nothing is wrong", await eventually(partial(_healthy, port)))
    states: dict[str, tuple[Enter, str]] = {
        name: (state.enter, state.problem) for name, state in STATES.items()
    }
    states |= {
        "no append-only file": (configured("appendonly", "no", "yes"), "redis_not_durable"),
        "appendfsync weaker than documented": (_unsynced, "redis_syncs_late"),
        "dead letters": (_with_dead_letter, "dead_letters"),
        "no worker, and a batch that grows old": (partial(_without_worker, port), "late_batches"),
    }
    for name, (enter, kind) in states.items():
        await _show(name, kind, enter(services), port)
    if port_of_small:
        _print("a disk that is nearly full", await eventually(partial(_named, port_of_small, "disk_full")))
    else:
        print("a disk that is nearly full: none is that small here")


def main() -> None:
    """Start the stores, a server and a worker, and a server that watches a small disk."""
    with machine(durable=False) as services:
        port, small = free_port(), _small_disk()
        services.start("server", "server", LLM_OBSERVE_GRPC_PORT=str(port))
        services.start("worker", "worker")
        port_of_small = free_port() if small else 0
        if small:
            env = {"LLM_OBSERVE_GRPC_PORT": str(port_of_small), "LLM_OBSERVE_WATCHED_FOLDERS": small}
            services.start("server of a small disk", "server", **env)
        asyncio.run(run(services, port, port_of_small))


if __name__ == "__main__":
    main()

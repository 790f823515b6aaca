"""Server and worker as processes of their own, with whatever settings a test needs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from tests.support.ports import free_port
from tests.support.processes import Processes, queue_env
from tests.support.rpc import answers
from tests.support.waiting import eventually
from worker.queue.settings import QueueSettings


class Deployment(Processes):
    """The processes of a product on a test's stores."""

    def __init__(self, logs: Path, database_url: str, queue: QueueSettings, **env: str) -> None:
        super().__init__(logs, {**os.environ, **queue_env(database_url, queue), **env})
        self.port = free_port()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start_server(self, **env: str) -> None:
        """Start it, and wait until it answers."""
        self.start("server", "server", LLM_OBSERVE_GRPC_PORT=str(self.port), **env)
        await eventually(lambda: answers(self.port))

    def start_worker(self, **env: str) -> None:
        self.start("worker", "worker", **env)

    def output(self, name: str) -> str:
        """Return what a process has written to stdout and stderr."""
        return self.log(name).read_text()


@asynccontextmanager
async def deployed(
    logs: Path, database_url: str, queue: QueueSettings, **env: str
) -> AsyncIterator[tuple[Deployment, grpc.aio.Channel]]:
    """Run a server and a worker while the context lasts."""
    deployment = Deployment(logs, database_url, queue, **env)
    try:
        await deployment.start_server()
        deployment.start_worker()
        async with grpc.aio.insecure_channel(deployment.address) as channel:
            yield deployment, channel
    finally:
        deployment.stop_all()

"""Checks whether the product is up, over the same interfaces that users use."""

from __future__ import annotations

import asyncio
import os
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import grpc
from llm_observe.channel import open_from_env
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

from server.probe import reachable_host

if TYPE_CHECKING:
    from llm_observe.v1.health_service_pb2 import CheckResponse


async def all_ready(server: str, ui: str) -> bool:
    """Tell whether the server, a worker and the dashboard answer; both are ``host:port``."""
    health = await asyncio.to_thread(ask_health, server)
    if health is None or not health.queue.consumer_count:
        return False
    return await asyncio.to_thread(ui_answers, ui)


def ask_health(server: str) -> CheckResponse | None:
    """Return a server's report on its health, or None if it does not answer within 3 seconds.

    Raises:
        OSError: A TLS file that the environment names cannot be read.
    """
    try:
        return query_health(server)
    except grpc.RpcError:
        return None


def query_health(server: str) -> CheckResponse:
    """Return a server's report on its health.

    Raises:
        grpc.RpcError: It does not answer within 3 seconds.
        OSError: A TLS file that the environment names cannot be read.
    """
    with open_from_env(server) as channel:
        return HealthServiceStub(channel).Check(CheckRequest(), timeout=3)


def local_address(host_variable: str, port: int | str) -> str:
    """Return the ``host:port`` at which this machine reaches what listens where a variable says."""
    host = reachable_host(os.environ.get(host_variable) or "127.0.0.1")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def ui_answers(ui: str) -> bool:
    """Tell whether the dashboard's web server answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{ui}/_stcore/health", timeout=2) as response:
            return bool(response.status == 200)  # noqa: PLR2004 - HTTP OK
    except (urllib.error.URLError, OSError):
        return False

"""Checks whether the product is up, over the same interfaces that users use."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import grpc
from llm_observe.channel import open_from_env
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

if TYPE_CHECKING:
    from llm_observe.v1.health_service_pb2 import CheckResponse


async def all_ready(grpc_port: int, ui_port: int) -> bool:
    """Tell whether the server, a worker and the dashboard answer."""
    health = await ask_health(grpc_port)
    if health is None or not health.queue.consumer_count:
        return False
    return await asyncio.to_thread(ui_answers, ui_port)


async def ask_health(grpc_port: int) -> CheckResponse | None:
    """Return the server's report on its health, or None if it does not answer within 3 seconds."""
    return await asyncio.to_thread(_ask_health, grpc_port)


def _ask_health(grpc_port: int) -> CheckResponse | None:
    channel = open_from_env(f"127.0.0.1:{grpc_port}")
    with channel:
        try:
            return HealthServiceStub(channel).Check(CheckRequest(), timeout=3)
        except grpc.RpcError:
            return None


def ui_answers(port: int) -> bool:
    """Tell whether the dashboard's web server answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as response:
            return bool(response.status == 200)  # noqa: PLR2004 - HTTP OK
    except (urllib.error.URLError, OSError):
        return False

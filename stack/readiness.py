"""Checks whether the product is up, over the same interfaces that users use."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import grpc
from llm_observe.channel import open_from_env
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from server.probe import reachable_host
from stack.errors import StackError
from worker.queue.outages import REDIS_ERRORS, error_code
from worker.queue.redis_url import make_pool

if TYPE_CHECKING:
    from llm_observe.v1.health_service_pb2 import CheckResponse

_REDIS_WAIT_S: Final = 3.0
_REDIS_TIMEOUT_S: Final = 2.0
_REDIS_PAUSE_S: Final = 0.2


async def all_ready(server: str, ui: str) -> bool:
    """Tell whether the server, a worker and the dashboard answer; both are ``host:port``."""
    health = await asyncio.to_thread(ask_health, server)
    if health is None or not health.queue.consumer_count:
        return False
    return await asyncio.to_thread(ui_answers, ui)


async def check_redis(url: str, *, wait_s: float = _REDIS_WAIT_S) -> None:
    """Wait for a Redis that may still be starting.

    Raises:
        StackError: It cannot be used. The message names its variable, address and the cause, and no password.
    """
    deadline = time.monotonic() + wait_s
    client = Redis.from_pool(make_pool(url, max_connections=1, socket_connect_timeout=_REDIS_TIMEOUT_S))
    try:
        while True:
            try:
                async with asyncio.timeout(_REDIS_TIMEOUT_S):
                    await client.ping()
            except REDIS_ERRORS as error:
                is_refused = isinstance(error, AuthenticationError)
                if is_refused or time.monotonic() + _REDIS_PAUSE_S > deadline:
                    address = urlsplit(url).netloc.rpartition("@")[2]
                    raise StackError(
                        f"cannot use Redis at {address} ({error_code(error)}): start it, or change REDIS_URL"
                    ) from None
                await asyncio.sleep(_REDIS_PAUSE_S)
            else:
                return
    finally:
        await client.aclose()


async def why_not_ready(server: str) -> str:
    """Return what a server says is wrong; empty where it says nothing."""
    health = await asyncio.to_thread(ask_health, server)
    return "" if health is None else "; ".join(problem.message for problem in health.problems)


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

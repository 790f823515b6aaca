"""A store that speaks S3's protocol, in a process of its own; what it holds is gone when it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

from tests.support.ports import free_port
from tests.support.processes import Processes
from tests.support.rpc import RPC_TIMEOUT_S
from tests.support.waiting import eventually

ENV = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "not-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@asynccontextmanager
async def running_s3(bucket: str, log_folder: Path) -> AsyncIterator[int]:
    """Serve a bucket while the context lasts; yields the port on this machine."""
    port = free_port()
    services = Processes(log_folder, {**os.environ, **ENV})
    services.start("s3", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    try:
        await eventually(lambda: asyncio.to_thread(_make_bucket, port, bucket))
        yield port
    finally:
        services.kill("s3")


def _make_bucket(port: int, bucket: str) -> bool:
    """Make the bucket; False while the server does not answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=RPC_TIMEOUT_S)
    try:
        connection.request("PUT", f"/{bucket}")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()

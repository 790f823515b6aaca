"""Fixtures on a real Postgres and a real Valkey, started once in each test process."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import asyncpg
import grpc
import pytest
from llm_observe import _guard

from server.app import Server
from stack.demo.provider_mock import ProviderMock, running_mock
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.machine import Machine, machine
from tests.support.server import mocked, running_server
from tests.support.ui.browser import running_browser
from tests.support.worker import running_worker
from worker.queue.settings import QueueSettings

if TYPE_CHECKING:
    from playwright.async_api import Browser

_guard.raise_internal_errors = True


@pytest.fixture(scope="session")
def stores() -> Iterator[Machine]:
    with machine(durable=False) as started:
        yield started


@pytest.fixture
async def database_url(stores: Machine) -> AsyncIterator[str]:
    """A separate database for each test, cloned from the migrated one."""
    name = f"t{uuid.uuid4().hex}"
    base, _, template = stores.postgres.url.rpartition("/")
    connection = await asyncpg.connect(f"{base}/postgres")
    try:
        # Its 700 files are copied; by default every page would be logged as well.
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        yield f"{base}/{name}"
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Its time-out is long, so that no test depends on how fast the machine is."""
    opened = await Database(StorageSettings(database_url=database_url, timeout_s=60)).open()
    yield opened
    await opened.close()


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's database, for queries that the product does not have."""
    connection = await asyncpg.connect(database_url)
    yield connection
    connection.terminate()


@pytest.fixture
def queue_settings(stores: Machine) -> QueueSettings:
    """A separate queue for each test, whose workers are declared dead sooner than in production."""
    return QueueSettings(
        redis_url=stores.valkey.url, queue_name=f"test:{uuid.uuid4().hex}", heartbeat_s=0.3, liveness_s=1.5
    )


@pytest.fixture(scope="session")
def shared_mock() -> Iterator[ProviderMock]:
    """Shared by all tests: starting and stopping a web server takes 0.2 s."""
    with running_mock() as mock:
        yield mock


@pytest.fixture
def provider_mock(shared_mock: ProviderMock) -> Iterator[ProviderMock]:
    """The provider mock without any recorded request."""
    shared_mock.requests.clear()
    shared_mock.default_behaviour = {}
    shared_mock.sent_events = 0
    yield shared_mock
    while shared_mock.open_streams:  # every client has disconnected by now
        time.sleep(0.01)


@pytest.fixture
async def server(
    database_url: str, queue_settings: QueueSettings, provider_mock: ProviderMock
) -> AsyncIterator[Server]:
    """The real server in this process, chatting with the mock."""
    async with running_server(database_url, queue_settings, mocked(provider_mock)) as running:
        yield running


@pytest.fixture
async def worker(database_url: str, queue_settings: QueueSettings) -> AsyncIterator[None]:
    """The real worker, in this process."""
    async with running_worker(database_url, queue_settings):
        yield


@pytest.fixture
async def locked_channel(database_url: str, queue_settings: QueueSettings) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server that requires API keys."""
    async with (
        running_server(database_url, queue_settings, require_keys=True) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as opened,
    ):
        yield opened


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Shared by all tests, each of which has a context of its own: starting one takes seconds."""
    async with running_browser() as started:
        yield started


@pytest.fixture
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as opened:
        yield opened

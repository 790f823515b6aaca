"""Real Postgres and real Valkey for every test that needs them, started once from the embedded wheels."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import grpc
import psutil
import pytest
from llm_observe import _guard

for name in [
    name
    for name in os.environ
    if name.startswith(("LLM_OBSERVE_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_"))
    and name != "LLM_OBSERVE_NO_EXTENSIONS"
]:
    del os.environ[name]
for name in ("DATABASE_URL", "REDIS_URL"):
    os.environ.pop(name, None)
_guard.raise_internal_errors = True

import tests.properties  # noqa: E402, F401 - property tests repeat their examples
from codec.settings import RedactionSettings  # noqa: E402 - the environment is scrubbed first
from server.app import Server, build_server  # noqa: E402 - the environment is scrubbed first
from server.settings import ProviderSettings, ServerSettings  # noqa: E402 - the environment is scrubbed first
from stack import processes  # noqa: E402 - the environment is scrubbed first
from stack.data_dir import DataDir  # noqa: E402 - the environment is scrubbed first
from stack.demo.provider_mock import ProviderMock, running_mock  # noqa: E402 - the environment is scrubbed first
from stack.embedded.postgres import STOP_SIGNAL, EmbeddedPostgres  # noqa: E402 - the environment is scrubbed first
from stack.embedded.valkey import EmbeddedValkey  # noqa: E402 - the environment is scrubbed first
from storage.migrate import migrate  # noqa: E402 - the environment is scrubbed first
from storage.partitions import ensure_partitions  # noqa: E402 - the environment is scrubbed first
from storage.pool import Database  # noqa: E402 - the environment is scrubbed first
from storage.settings import StorageSettings  # noqa: E402 - the environment is scrubbed first
from worker.queue.settings import QueueSettings  # noqa: E402 - the environment is scrubbed first


@dataclass
class Stores:
    """The running Postgres and Valkey of this test session."""

    home: DataDir
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    valkey_process: psutil.Process

    def start_valkey(self) -> None:
        self.valkey_process = processes.start(
            self.valkey.command(), log=self.home.logs / "valkey.log", env=os.environ
        )


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    folder = Path(tempfile.mkdtemp(prefix="llm-observe-test-"))
    folder.chmod(0o755)
    home = DataDir(folder)
    home.logs.mkdir()
    postgres = EmbeddedPostgres(home, processes.free_port())
    valkey = EmbeddedValkey(home, processes.free_port())
    postgres.prepare()
    valkey.prepare()
    child = processes.start(
        # Tests kill processes, never the machine: without fsync a database is cloned in a blink.
        [*postgres.command(), "--fsync=off"],
        log=home.logs / "postgres.log",
        env=os.environ,
        user=postgres.run_as,
    )
    found = Stores(home, postgres, valkey, child)
    found.start_valkey()
    try:
        asyncio.run(_prepare(found))
        yield found
    finally:
        processes.stop(found.valkey_process, signal.SIGTERM, 10)
        processes.stop(child, STOP_SIGNAL, 10)
        shutil.rmtree(folder, ignore_errors=True)
        if postgres.data.is_relative_to("/var/lib/llm-observe"):
            shutil.rmtree(postgres.data.parent, ignore_errors=True)


async def _prepare(found: Stores) -> None:
    await found.postgres.wait_ready()
    await found.valkey.wait_ready()
    settings = StorageSettings(database_url=found.postgres.url)
    await migrate(settings)
    database = Database(settings)
    await ensure_partitions(database, datetime.now(UTC).date())
    await database.close()


@pytest.fixture
async def database_url(stores: Stores) -> AsyncIterator[str]:
    """A database of its own, cloned from the migrated one."""
    name = f"t{uuid.uuid4().hex}"
    base = stores.postgres.url.rsplit("/", 1)[0]
    connection = await asyncpg.connect(f"{base}/postgres")
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE llm_observe")
        yield f"{base}/{name}"
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database(StorageSettings(database_url=database_url)).open()
    yield opened
    await opened.close()


@pytest.fixture
def queue_settings(stores: Stores) -> QueueSettings:
    """A queue of its own, whose workers are declared dead sooner than in production."""
    return QueueSettings(
        redis_url=stores.valkey.url, queue_name=f"test:{uuid.uuid4().hex}", heartbeat_s=0.3, liveness_s=1.5
    )


@pytest.fixture
def provider_mock() -> Iterator[ProviderMock]:
    with running_mock() as mock:
        yield mock


@pytest.fixture
async def server(
    database_url: str, queue_settings: QueueSettings, provider_mock: ProviderMock
) -> AsyncIterator[Server]:
    """The real server in this process, chatting with the mock."""
    running = await build_server(
        ServerSettings(port=0, grace_s=1),
        StorageSettings(database_url=database_url),
        queue_settings,
        ProviderSettings(
            openai_api_key="mock",
            openai_base_url=f"{provider_mock.base_url}/v1",
            anthropic_api_key="mock",
            anthropic_base_url=provider_mock.base_url,
            gemini_api_key="mock",
            gemini_base_url=provider_mock.base_url,
        ),
        RedactionSettings(),
    )
    yield running
    await running.stop(0.5)


@pytest.fixture
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as opened:
        yield opened

"""Real Postgres and real Valkey from the embedded wheels, in a folder of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Self

from redis.asyncio import Redis

from stack.data_dir import DataDir
from stack.embedded.postgres import EmbeddedPostgres
from stack.embedded.valkey import EmbeddedValkey
from stack.errors import StackError
from storage.migrate import migrate
from storage.partitions import ensure_partitions
from storage.pool import Database
from storage.settings import StorageSettings
from tests.support.ports import free_port
from tests.support.processes import Processes
from worker.queue.redis_health import SYNCED_KEY

_MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
_PREFIX = "llm-observe-test-"
_MEMORY_NEEDED = 2 * 1024**3
_FAST_OPTIONS = (
    # Tests kill processes, never the machine, so data is safe once the kernel has it.
    "--fsync=off", "--full_page_writes=off", "--wal_level=minimal", "--max_wal_senders=0",
    # Cloning a database takes a checkpoint, which is slower the more there is in memory.
    "--shared_buffers=64MB", "--max_wal_size=128MB", "--autovacuum=off",
)  # fmt: skip


class Machine(Processes):
    """Running stores, and the environment in which our processes find them."""

    def __init__(self, home: DataDir, *, durable: bool) -> None:
        home.logs.mkdir(exist_ok=True)
        self.home = home
        self.postgres = EmbeddedPostgres(home, free_port())
        self.valkey = EmbeddedValkey(home, free_port())
        super().__init__(
            home.logs, {**os.environ, "DATABASE_URL": self.postgres.url, "REDIS_URL": self.valkey.url}
        )
        self._options = () if durable else _FAST_OPTIONS

    def start_stores(self) -> Self:
        """Start Postgres and Valkey, and make the tables."""
        self.postgres.prepare()
        self.valkey.prepare()
        command = [*self.postgres.command(), *self._options]
        self.start_program("postgres", command, user=self.postgres.run_as)
        self.start_program("valkey", self.valkey.command())
        asyncio.run(self._make_tables())
        return self

    async def _make_tables(self) -> None:
        await asyncio.gather(self.postgres.wait_ready(), self.valkey.wait_ready())
        if self._options:  # nobody syncs the file, which health would tell
            async with Redis.from_url(self.valkey.url) as redis:
                await redis.set(SYNCED_KEY, "1")
        settings = StorageSettings(database_url=self.postgres.url)
        await migrate(settings)
        database = Database(settings)
        await ensure_partitions(database, datetime.now(UTC).date())
        await database.close()

    def remove(self) -> None:
        """Remove the data of the stores."""
        shutil.rmtree(self.home.root, ignore_errors=True)
        if not self.postgres.data.is_relative_to(self.home.root):
            shutil.rmtree(self.postgres.data.parent, ignore_errors=True)


@contextmanager
def machine(*, durable: bool = True) -> Iterator[Machine]:
    """Start the stores; afterwards stop every process and remove all data.

    ``durable`` stores sync as in production. Others lose data in a power cut, though not if killed; they are
    kept in memory if there is room, where a database is cloned ten times as fast.
    """
    home, lock = _make_folder(None if durable else _memory_folder())
    started = Machine(home, durable=durable)
    stop_syncing = started.valkey.keep_synced() if durable else lambda: None
    try:
        yield started.start_stores()
    finally:
        stop_syncing()
        started.stop_all()
        started.remove()
        lock.close()


def _make_folder(parent: Path | None) -> tuple[DataDir, IO[str]]:
    """Return a new folder and its lock; remove the unlocked folders that killed processes have left."""
    folder = Path(tempfile.mkdtemp(prefix="new-", dir=parent))
    folder.chmod(0o755)  # Postgres may run as another user
    lock = DataDir(folder).lock()
    for left in folder.parent.glob(f"{_PREFIX}*/lock"):
        with suppress(StackError, OSError), DataDir(left.parent).lock():
            shutil.rmtree(left.parent, ignore_errors=True)
    # Named only now that it is locked, or another process could remove it.
    return DataDir(folder.rename(folder.with_name(_PREFIX + folder.name))), lock


def _memory_folder() -> Path | None:
    has_room = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _MEMORY_NEEDED
    return _MEMORY if has_room else None

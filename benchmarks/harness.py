"""Real stores and real processes to measure against, and logs to measure with."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS, Log

from stack import processes
from stack.data_dir import DataDir
from stack.embedded.postgres import STOP_SIGNAL, EmbeddedPostgres
from stack.embedded.valkey import EmbeddedValkey
from storage.migrate import migrate
from storage.settings import StorageSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psutil

MODELS = ("gpt-4o-mini", "gpt-4.1", "claude-sonnet-5-5", "gemini-2.5-flash", "gpt-4o")
_PREVIEW = "Summarise the support ticket below in two sentences and say what the customer wants. " * 4


@dataclass
class Machine:
    """Running stores, with durable settings as in production, and the environment of our processes."""

    home: DataDir
    env: dict[str, str]
    running: dict[str, psutil.Popen]
    starters: dict[str, Callable[[], psutil.Popen]]
    """How each process is started."""

    def start(self, name: str, *command: str, **env: str) -> psutil.Popen:
        """Start one of our processes."""
        self.starters[name] = lambda: processes.start(
            [sys.executable, "-m", *command], log=self.home.logs / f"{name}.log", env={**self.env, **env}
        )
        return self.restart(name)

    def restart(self, name: str) -> psutil.Popen:
        """Start a process that has ended, as it was started before."""
        self.running[name] = self.starters[name]()
        return self.running[name]

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds each process has used, its children included."""
        used = {}
        for name, process in self.running.items():
            family = [process, *process.children(recursive=True)]
            used[name] = sum(sum(one.cpu_times()[:2]) for one in family)
        return used


@contextmanager
def machine() -> Iterator[Machine]:
    """Start Postgres and Valkey in a folder of their own; stop all that was started."""
    folder = Path(tempfile.mkdtemp(prefix="llm-observe-bench-"))
    folder.chmod(0o755)
    home = DataDir(folder)
    home.logs.mkdir()
    postgres = EmbeddedPostgres(home, processes.free_port())
    valkey = EmbeddedValkey(home, processes.free_port())
    postgres.prepare()
    valkey.prepare()
    env = {**os.environ, "DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}
    starters: dict[str, Callable[[], psutil.Popen]] = {
        "postgres": lambda: processes.start(
            postgres.command(), log=home.logs / "postgres.log", env=os.environ, user=postgres.run_as
        ),
        "valkey": lambda: processes.start(valkey.command(), log=home.logs / "valkey.log", env=os.environ),
    }
    found = Machine(home, env, {}, starters)
    stop_syncing = valkey.keep_synced()
    try:
        found.restart("postgres")
        found.restart("valkey")
        asyncio.run(_ready(postgres, valkey))
        yield found
    finally:
        stop_syncing()
        for name, process in reversed(found.running.items()):
            processes.stop(process, STOP_SIGNAL if name == "postgres" else signal.SIGTERM, 20)
        shutil.rmtree(folder, ignore_errors=True)


async def _ready(postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
    await asyncio.gather(postgres.wait_ready(), valkey.wait_ready())
    await migrate(StorageSettings(database_url=postgres.url))


def make_logs(count: int, seed: int = 1, *, ending: str = "") -> list[Log]:
    """Return logs of about 1 KB as applications send them: five models, log-normal latencies, all new.

    Every input ends in ``ending``.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, not cryptography
    logs = [_make_log(chance) for _ in range(count)]
    for log in logs:
        log.input_preview += ending
    return logs


def _make_log(chance: random.Random) -> Log:
    log = Log(
        log_id=str(uuid.uuid4()),
        session_id=str(uuid.UUID(int=chance.getrandbits(128))),
        provider="openai",
        model=chance.choice(MODELS),
        operation="chat",
        outcome=OUTCOME_SUCCESS,
        input_token_count=chance.randrange(10, 3000),
        output_token_count=chance.randrange(10, 800),
        input_preview=_PREVIEW[:320],
        output_preview=_PREVIEW[:320],
        user_id=f"user-{chance.randrange(1000)}",
        finish_reason="stop",
        environment="production",
        streamed=True,
        metadata={"tenant": f"t{chance.randrange(20)}"},
    )
    log.start_time.FromNanoseconds(time.time_ns())
    log.latency.FromMicroseconds(int(chance.lognormvariate(13, 0.8)))
    log.time_to_first_token.FromMicroseconds(log.latency.ToMicroseconds() // 4)
    return log


def report(**figures: Any) -> None:
    """Print figures as one JSON object, floats to three digits."""
    print(json.dumps(figures, indent=2, default=str))


def ratio(ours: float, bare: float) -> float:
    """Return ours over bare, to three digits."""
    return round(ours / bare, 3)

"""Every documented grpcurl command runs as printed, with the real tool against real servers."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from analytics.lake.settings import LakeSettings
from storage.api_keys import DEFAULT_PROJECT
from storage.exports import find_unfinished_export
from storage.pool import Database
from tests.support.certificates import Authority
from tests.support.documented import Command, documented_commands, has_lines, is_like, parse_messages
from tests.support.keys import make_key
from tests.support.server import SERVICES, running_server
from tests.support.waiting import WAIT_S, eventually
from tests.support.worker import running_worker
from worker.queue.broker import LogBroker
from worker.queue.log_queue import queue_stats

ROOT = Path(__file__).parent.parent.parent
PAGES = {
    path.relative_to(ROOT).as_posix(): commands
    for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")))
    if (commands := documented_commands(path))
}
GRPCURL = shutil.which("grpcurl", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")


class Shell:
    """Runs documented commands, against the servers that stand for the documented ones."""

    def __init__(self, folder: Path, env: dict[str, str], addresses: dict[str, str]) -> None:
        self._folder, self._env, self._replaced = folder, env, dict(addresses)

    async def run(self, command: Command) -> None:
        """Run a command and compare its answer."""
        script = command.script
        for documented, actual in self._replaced.items():
            script = script.replace(documented, actual)
        process = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", script,
            cwd=self._folder, env=self._env, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(WAIT_S):
            output, errors = [text.decode() for text in await process.communicate()]
        seen = f"{script}\n{output}\n{errors}"
        failed = command.answer.startswith(("ERROR:", "Error "))
        assert bool(process.returncode) is failed, seen
        if command.answer_type == "json":
            assert self._answers(command.answer, output), seen
        elif command.answer:
            assert has_lines(command.answer, errors if failed else output), seen
        elif "/" in script.split()[-1]:
            assert parse_messages(output), seen
        else:
            assert output, seen

    def _answers(self, documented: str, output: str) -> bool:
        """Whether each documented message comes, in this order; others may come between."""
        messages = iter(parse_messages(output))
        return all(
            any(is_like(expected, message, self._replaced) for message in messages)
            for expected in parse_messages(documented)
        )


class Stage(NamedTuple):
    shell: Shell
    broker: LogBroker
    database: Database

    async def run(self, command: Command) -> None:
        """Run a command and wait until the worker has done what it gave it to do."""
        await self.shell.run(command)

        async def worker_is_idle():
            if (await queue_stats(self.broker)).depth:
                return False
            return await find_unfinished_export(self.database, DEFAULT_PROJECT) is None

        await eventually(worker_is_idle)


@pytest.fixture
async def stage(database, database_url, queue_settings, tmp_path):
    """An open server, one that requires keys and TLS, and a worker, all with a lake."""
    if GRPCURL is None:
        pytest.skip("no grpcurl for this machine")
    authority = Authority(tmp_path, "ca")
    certificate, key = authority.sign("server")
    tls: dict[str, Any] = {"require_keys": True, "tls_cert_file": certificate, "tls_key_file": key}
    env = {
        "PATH": f"{Path(GRPCURL).parent}:{os.environ['PATH']}",
        "LLM_OBSERVE_API_KEY": await make_key(database, "admin"),
    }
    lake = LakeSettings(url=str(tmp_path / "lake"))
    broker = LogBroker(queue_settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running_worker(database_url, queue_settings, lake_url=lake.url))
        servers = [running_server(database_url, queue_settings, lake=lake, **each) for each in ({}, tls)]
        ports = [(await stack.enter_async_context(server)).port for server in servers]
        documented = ("127.0.0.1:50051", "observe.example.com:443")
        addresses = {name: f"127.0.0.1:{port}" for name, port in zip(documented, ports, strict=True)}
        yield Stage(Shell(tmp_path, env, addresses), broker, database)
    await broker.shutdown()


@pytest.mark.parametrize("page", PAGES)
async def test_every_documented_command_works(stage, page):
    for command in PAGES[page]:
        await stage.run(command)


def test_the_page_calls_every_service():
    called = set(re.findall(r"llm_observe\.v1\.(\w+)/", (ROOT / "docs/grpcurl.md").read_text()))
    assert called == set(SERVICES)


@pytest.mark.parametrize(
    "command",
    [
        Command("grpcurl -plaintext 127.0.0.1:50051 llm_observe.v1.HealthService/NoSuch", "", ""),
        Command("grpcurl -plaintext 127.0.0.1:50051 llm_observe.v1.HealthService/Check", "json", '{"no": 1}'),
        Command("grpcurl -plaintext 127.0.0.1:50051 list", "text", "llm_observe.v1.NoSuchService"),
        Command("grpcurl -plaintext 127.0.0.1:50051 list", "text", "ERROR:"),
    ],
)
async def test_a_wrong_page_is_noticed(stage, command):
    with pytest.raises(AssertionError):
        await stage.run(command)

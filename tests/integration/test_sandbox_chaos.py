"""Processes of the sandbox that are killed, abandoned and orphaned, and that hold nothing of the server."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from contextlib import aclosing, suppress
from pathlib import Path

import psutil
import pytest

from analytics.sandbox import wire
from analytics.sandbox.errors import QueryProcessLost, SqlLimitExceeded
from analytics.sandbox.processes import QueryProcesses
from analytics.sandbox.query import Columns, Limits, Query
from analytics.sandbox.settings import SandboxSettings
from tests.support.sandbox import Answer, ask, make_lake, outcome, source_of

GENEROUS = Limits(cpu_s=600, time_s=600)
ENDLESS = "SELECT sum(range * 3) FROM range(1_000_000_000_000)"


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return make_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture
async def processes():
    async with QueryProcesses(SandboxSettings(processes=1, queue_timeout_s=300)) as started:
        yield started


CONFINED = re.compile(r"^Max open files +0 +0 ", re.MULTILINE)


def below(pid: int) -> list[psutil.Process]:
    """Hosts, and the queries that they run."""
    return [child for child in psutil.Process(pid).children(recursive=True) if is_sandbox(child)]


def is_sandbox(process: psutil.Process) -> bool:
    try:
        return "analytics.sandbox.host" in process.cmdline()
    except psutil.Error:  # it ends
        return False


def limits_of(process: psutil.Process) -> str:
    """As text, since nobody but root may ask for those of another account by system call."""
    try:
        return Path(f"/proc/{process.pid}/limits").read_text()
    except OSError:
        return ""


def status_of(process: psutil.Process) -> dict[str, str]:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


async def running_query(pid: int | None = None) -> psutil.Process:
    """The process of the query, once it is confined."""
    while True:
        for child in below(pid or os.getpid()):
            if CONFINED.search(limits_of(child)):
                return child
        await asyncio.sleep(0.01)


async def gone(process: psutil.Process) -> None:
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(0.01)


async def still_answers(processes, lake):
    assert (await ask(processes, "SELECT count(*) FROM logs", source_of(lake), limits=GENEROUS)).rows == [
        (80,)
    ]


async def test_a_killed_query_says_so_and_the_next_one_runs(processes, lake):
    task = asyncio.create_task(outcome(processes, ENDLESS, source_of(lake), GENEROUS))
    (await running_query()).kill()
    found = await task
    assert isinstance(found, QueryProcessLost)
    assert "The operating system ended the query" in found.sentence
    await still_answers(processes, lake)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT])
async def test_a_crash_says_so(processes, lake, number):
    task = asyncio.create_task(outcome(processes, ENDLESS, source_of(lake), GENEROUS))
    (await running_query()).send_signal(number)
    found = await task
    assert isinstance(found, QueryProcessLost)
    assert f"ended unexpectedly (signal {int(number)})" in found.sentence
    await still_answers(processes, lake)


async def test_a_killed_host_takes_its_query_along(processes, lake):
    task = asyncio.create_task(outcome(processes, ENDLESS, source_of(lake), GENEROUS))
    query = await running_query()
    psutil.Process(query.ppid()).kill()
    assert isinstance(await task, QueryProcessLost)
    await gone(query)
    await still_answers(processes, lake)


async def test_an_idle_host_that_died_is_replaced(processes, lake):
    await still_answers(processes, lake)
    (host,) = below(os.getpid())
    host.kill()
    await gone(host)
    found = await outcome(processes, "SELECT 1", source_of(lake), GENEROUS)
    assert isinstance(found, Answer | QueryProcessLost)  # lost where nobody has noticed its end yet
    await still_answers(processes, lake)


async def test_a_stopped_query_meets_its_time(processes, lake):
    limits = Limits(cpu_s=600, time_s=3)
    task = asyncio.create_task(outcome(processes, ENDLESS, source_of(lake), limits))
    (await running_query()).suspend()
    found = await task
    assert isinstance(found, SqlLimitExceeded)
    assert found.limit == "time"
    await still_answers(processes, lake)


async def test_closing_the_answer_ends_the_query(processes, lake):
    many = Query("SELECT repeat('x', 1000) FROM range(1_000_000_000)", source_of(lake), limits=GENEROUS)
    async with aclosing(processes.run(many)) as parts:
        assert isinstance(await anext(parts), Columns)
    assert len(below(os.getpid())) == 1  # the host
    await still_answers(processes, lake)


async def test_a_cancelled_caller_ends_the_query(processes, lake):
    (host,) = below(os.getpid())
    task = asyncio.create_task(ask(processes, ENDLESS, source_of(lake), limits=GENEROUS))
    query = await running_query()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not query.is_running()
    assert host.is_running()  # and is used again
    await still_answers(processes, lake)


async def test_closing_ends_every_process(lake):
    async with QueryProcesses(SandboxSettings(processes=2)) as processes:
        tasks = [
            asyncio.create_task(outcome(processes, ENDLESS, source_of(lake, name), GENEROUS))
            for name in ("mine", "other")
        ]
        while sum(bool(CONFINED.search(limits_of(child))) for child in below(os.getpid())) < 2:
            await asyncio.sleep(0.01)
    assert below(os.getpid()) == []
    await asyncio.gather(*tasks)


SERVER = """
import asyncio, sys
from pathlib import Path
from tests.support.sandbox import ask, source_of
from analytics.sandbox.processes import QueryProcesses
from analytics.sandbox.query import Limits
from analytics.sandbox.settings import SandboxSettings

async def main():
    async with QueryProcesses(SandboxSettings()) as processes:
        await ask(processes, sys.argv[2], source_of(Path(sys.argv[1])), limits=Limits(cpu_s=600, time_s=600))

asyncio.run(main())
"""


async def test_no_process_outlives_the_server(lake):
    root = Path(__file__).parent.parent.parent
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(lake), ENDLESS], cwd=root)  # noqa: ASYNC220 - at once
    try:
        query = await running_query(server.pid)
        host = psutil.Process(query.ppid())
    finally:
        server.kill()
        server.wait()
    await gone(query)
    await gone(host)


async def test_a_query_has_nothing_of_the_server(processes, lake, monkeypatch):
    """No environment, no privileges, no account, no descriptor but its answer and the project's files."""
    monkeypatch.setenv("LLM_OBSERVE_DATABASE_URL", "x")
    task = asyncio.create_task(outcome(processes, ENDLESS, source_of(lake), GENEROUS))
    query = await running_query()
    try:
        host = psutil.Process(query.ppid())
        assert set(host.environ()) <= {"MALLOC_ARENA_MAX", "ARROW_DEFAULT_MEMORY_POOL", "LC_CTYPE"}
        status = status_of(query)
        assert status["NoNewPrivs"] == "1"
        if os.geteuid() == 0:
            assert 0 not in query.uids()
            assert 0 not in query.gids()
            assert status["Groups"].strip() == ""
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        for kind in ("core file size", "file size", "processes", "open files"):
            assert re.search(rf"^Max {kind} +0 +0 ", limits_of(query), re.MULTILINE), kind
        with suppress(PermissionError):  # a root without the privilege to trace other accounts
            check_descriptors(query)
    finally:
        query.kill()
        await task


def check_descriptors(query: psutil.Process) -> None:
    links = {str(link.readlink()) for link in Path(f"/proc/{query.pid}/fd").iterdir()}
    assert {link.split(":")[0] for link in links if not link.endswith("logs.parquet")} <= {
        "/dev/null",
        "pipe",
    }
    assert all("/project_id=mine/" in link for link in links if link.endswith("logs.parquet"))


@pytest.mark.parametrize(
    "sent",
    [
        b"?" * 5_000,
        wire.frame(wire.ARROW, b"x" * wire.MAX_FRAME_BYTES) * 64,
        wire.frame(wire.COLUMNS, b"{"),
        wire.frame(wire.COLUMNS, b"[1]"),
        wire.frame(wire.ERROR, b'["SystemExit", "x", null]'),
        wire.frame(wire.END, b"[0, false]") + wire.frame(wire.ARROW, b"x"),
        wire.HEADER.pack(wire.ARROW, 2**32 - 1),
        wire.frame(wire.ARROW, b"x")[:-1],
        b"",
    ],
    ids=[
        "noise",
        "too much",
        "no JSON",
        "no columns",
        "other error",
        "after the end",
        "too long",
        "half",
        "nothing",
    ],
)
async def test_what_a_query_process_sends_is_not_trusted(processes, lake, monkeypatch, sent):
    """As if SQL had taken over the process."""
    submit = processes._idle[0].submit

    def submit_and_replace(request):
        os.close(submit(request))  # the real answer has no reader
        answer, end = os.pipe()
        if os.fork() == 0:
            try:
                os.close(answer)
                while_left = memoryview(sent)
                while while_left:
                    while_left = while_left[os.write(end, while_left) :]
            finally:
                os._exit(0)
        os.close(end)
        return answer

    monkeypatch.setattr(processes._idle[0], "submit", submit_and_replace)
    found = await outcome(processes, "SELECT repeat('x', 1000) FROM range(10_000)", source_of(lake), GENEROUS)
    assert isinstance(found, QueryProcessLost)
    monkeypatch.undo()
    await still_answers(processes, lake)

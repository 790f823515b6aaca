"""Processes start safely beside gRPC's threads, where code between fork and exec would crash."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from unittest import mock

import psutil
import pytest

from stack import processes
from tests.support.waiting import eventually

NOBODY = "nobody" if os.geteuid() == 0 else None
USERS = [None, NOBODY] if NOBODY else [None]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "child.log"


@pytest.mark.parametrize("user", USERS, ids=str)
def test_no_python_code_runs_between_fork_and_exec(log, user):
    """This allows vfork, which runs neither Python's fork hooks nor gRPC's."""
    with mock.patch.object(psutil, "Popen", wraps=psutil.Popen) as popen:
        assert processes.start(["/bin/true"], log=log, env=os.environ, user=user).wait() == 0
    assert popen.call_args is not None
    assert not {"preexec_fn", "user", "group", "extra_groups"} & popen.call_args.kwargs.keys()


async def test_children_start_beside_busy_grpc_threads(channel, log):
    async def call() -> None:
        while True:
            await channel.unary_unary("/grpc.health.v1.Health/Check")(b"")

    def start() -> int:
        return processes.start(["/bin/true"], log=log, env=os.environ, user=NOBODY).wait()

    calling = [asyncio.create_task(call()) for _ in range(4)]
    try:
        statuses = Counter([await asyncio.to_thread(start) for _ in range(20)])
    finally:
        for task in calling:
            task.cancel()
        await asyncio.gather(*calling, return_exceptions=True)
    assert statuses == {0: 20}


@pytest.mark.parametrize("user", USERS, ids=str)
async def test_a_child_of_a_background_job_can_be_interrupted(log, user):
    """A shell without job control has its background jobs ignore SIGINT, which a child would inherit."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = processes.start(["/bin/sleep", "600"], log=log, env=os.environ, user=user)
    finally:
        signal.signal(signal.SIGINT, before)
    await eventually(lambda: child.name() == "sleep")
    processes.stop(child, signal.SIGINT, timeout_s=600)
    assert child.wait() == -signal.SIGINT


@pytest.mark.skipif(NOBODY is None, reason="only root can become another user")
def test_a_child_can_run_as_another_user(log):
    child = processes.start(["/usr/bin/id"], log=log, env=os.environ, user=NOBODY)
    assert child.wait() == 0
    assert "nobody" in log.read_text()
    assert "root" not in log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux sends the signal")
@pytest.mark.parametrize("user", USERS, ids=str)
async def test_a_child_ends_with_its_parent(log, user):
    code = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from stack import processes\n"
        f"log, user = Path({str(log)!r}), {user!r}\n"
        "child = processes.start(['/bin/sleep', '3600'], log=log, env=os.environ, user=user)\n"
        "while child.name() != 'sleep': time.sleep(0.01)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(3600)\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)

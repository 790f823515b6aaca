"""Starting processes: safe beside gRPC's threads, as another user, and never outliving us."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import psutil
import pytest

from stack import processes
from tests.support.waiting import WAIT_S, eventually

USERS = [None, pytest.param("nobody", marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root may"))]
SLEEP = ["sleep", "3600"]


@pytest.mark.parametrize("user", USERS)
def test_no_python_runs_between_fork_and_exec(user, tmp_path):
    """There, beside gRPC's threads, a child crashed now and then."""
    code = f"""
import os, signal
from pathlib import Path
from stack import processes
forks = []
os.register_at_fork(before=lambda: forks.append("fork"))
child = processes.start(["true"], log=Path("log"), env=os.environ, user={user!r})
child.wait()
assert not forks
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=WAIT_S)


@pytest.mark.parametrize("user", USERS)
async def test_a_process_runs_as_its_user_and_ends_with_us(user, tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from stack import processes
child = processes.start({SLEEP}, log=Path("log"), env=os.environ, user={user!r})
print(child.pid, flush=True)
signal.pause()
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    await eventually(lambda: child.name() == "sleep")
    assert child.username() == (user or psutil.Process().username())
    assert not user or child.gids().effective == child.gids().real != 0
    parent.kill()
    await parent.wait()
    await eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_process_may_outlive_us(tmp_path):
    child = processes.start(SLEEP, log=tmp_path / "log", env=os.environ, death_signal=None)
    assert child.name() == "sleep"  # without the launcher
    processes.stop(child, signal.SIGTERM, WAIT_S)
    assert not child.is_running()

"""A command that builds or tests a client leaves nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import clients
from tests.support.waiting import eventually


async def test_all_that_a_command_started_ends_with_it(tmp_path: Path):
    command = "sleep 600 & echo $$ $! > new && mv new started && wait"
    running = asyncio.create_task(clients.run("sh", "-c", command, folder=tmp_path))
    await eventually((tmp_path / "started").exists)
    started = [psutil.Process(int(pid)) for pid in (tmp_path / "started").read_text().split()]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(lambda: not any(map(is_running, started)))


async def test_what_a_command_started_ends_with_it_if_it_is_cancelled_while_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    start, go_on = asyncio.create_subprocess_exec, asyncio.Event()

    async def start_slowly(*command: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await start(*command, **options)
        await go_on.wait()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_slowly)
    command = "sleep 600 & echo $! > new && mv new started && wait"
    running = asyncio.create_task(clients.run("sh", "-c", command, folder=tmp_path))
    await eventually((tmp_path / "started").exists)
    started = psutil.Process(int((tmp_path / "started").read_text()))
    running.cancel()
    asyncio.get_running_loop().call_soon(go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(lambda: not is_running(started))


def is_running(process: psutil.Process) -> bool:
    """Return whether a process runs, and not another that got its id."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

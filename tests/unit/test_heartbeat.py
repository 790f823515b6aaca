"""The file by which a process shows that it is alive."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from telemetry.heartbeat import HeartbeatSettings, heartbeat
from telemetry.settings import SettingsError
from tests.support.waiting import eventually


async def test_the_file_is_renewed_and_removed_at_the_end(tmp_path):
    path = tmp_path / "alive"
    async with heartbeat(HeartbeatSettings(file=str(path)), interval_s=0.001):
        os.utime(path, (0, 0))
        await eventually(lambda: path.stat().st_mtime > 0)
    assert not path.exists()


async def test_a_removed_file_and_a_full_disk_do_not_end_it(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "alive"
    async with heartbeat(HeartbeatSettings(file=str(path)), interval_s=0.001):
        path.unlink()
        folder.rename(tmp_path / "elsewhere")
        await asyncio.sleep(0.01)
        (tmp_path / "elsewhere").rename(folder)
        await eventually(path.exists)


async def test_a_file_that_cannot_be_written_is_reported_at_start(tmp_path):
    with pytest.raises(SettingsError, match="LLM_OBSERVE_HEARTBEAT_FILE: cannot write"):
        async with heartbeat(HeartbeatSettings(file=str(tmp_path / "none" / "alive"))):
            raise AssertionError("it must not begin")


async def test_no_file_is_written_unless_one_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with heartbeat(HeartbeatSettings()):
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["worker"], ["worker", "scheduler"]])
async def test_a_process_is_alive_while_it_waits_for_its_stores(arguments, tmp_path):
    path = tmp_path / "alive"
    stores = {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        env={**os.environ, **stores, "LLM_OBSERVE_HEARTBEAT_FILE": str(path)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await eventually(path.exists)
    finally:
        process.kill()
        await process.wait()

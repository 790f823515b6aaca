"""Valkey has written to its file what it has acknowledged, even if it is killed during a write."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import pytest
import redis

from stack import processes
from stack.data_dir import DataDir
from stack.embedded.valkey import EmbeddedValkey
from tests.support.ports import free_port
from tests.support.waiting import WAIT_S

pytestmark = pytest.mark.chaos


def write_until_killed(client: redis.Redis, stream: str, killer: threading.Timer) -> int:
    """Return how many entries were acknowledged; after a hundred, start the timer that kills Valkey."""
    acknowledged, data = 0, os.urandom(100_000)
    try:
        while True:
            client.xadd(stream, {"data": data})
            acknowledged += 1
            if acknowledged == 100:
                killer.start()
    except redis.RedisError:
        return acknowledged


def test_a_killed_valkey_loses_no_acknowledged_entry(monkeypatch):
    monkeypatch.setattr("stack.embedded.valkey._SYNC_EVERY_S", 0.02)  # a sync is always on its way
    with tempfile.TemporaryDirectory() as folder:
        home = DataDir(Path(folder))
        home.logs.mkdir()
        valkey = EmbeddedValkey(home, free_port())
        valkey.prepare()
        stop_syncing = valkey.keep_synced()
        try:
            for number in range(6):
                process = processes.start(valkey.command(), log=home.logs / "valkey.log", env=os.environ)
                asyncio.run(valkey.wait_ready())
                with redis.Redis.from_url(valkey.url) as client:
                    client.flushall()
                    killer = threading.Timer(number / 25, process.send_signal, [signal.SIGKILL])
                    acknowledged = write_until_killed(client, "entries", killer)
                    process.wait()
                process = processes.start(valkey.command(), log=home.logs / "valkey.log", env=os.environ)
                asyncio.run(valkey.wait_ready())
                with redis.Redis.from_url(valkey.url) as client:
                    assert client.xlen("entries") >= acknowledged
                processes.stop(process, signal.SIGTERM, WAIT_S)
        finally:
            stop_syncing()


def test_files_are_synced_until_syncing_stops(tmp_path, monkeypatch):
    synced: list[str] = []
    home = DataDir(tmp_path)
    monkeypatch.setattr("stack.embedded.valkey._SYNC_EVERY_S", 0.01)
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.append(str(Path(f"/proc/self/fd/{file}").readlink()))
    )
    stop_syncing = EmbeddedValkey(home, 1).keep_synced()
    try:
        time.sleep(0.05)  # no file exists yet
        file = home.valkey_data / "appendonlydir" / "appendonly.aof.1.incr.aof"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
        while str(file) not in synced:
            time.sleep(0.01)
    finally:
        stop_syncing()
    # The password is synced as well, once.
    assert {path for path in synced if Path(path).is_relative_to(home.valkey_data)} == {str(file)}

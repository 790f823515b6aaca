"""`llm-observe up` as a user runs it: at first, twice, after a kill, and in an unusual folder."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from stack.data_dir import DataDir
from stack.embedded.postgres import EmbeddedPostgres
from stack.processes import ProcessId
from tests.support.ports import free_port
from tests.support.receiver import running_receiver
from tests.support.scrape import scrape
from tests.support.waiting import WAIT_S, eventually
from worker.notices.bodies import sign

COMMAND = [sys.executable, "-m", "stack.cli.main"]


class Installation:
    """A data folder with free ports, and the command that uses it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {
            name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}
        }
        self.env["LLM_OBSERVE_HOME"] = str(home)
        self.env["LLM_OBSERVE_ALERT_ALLOW_PRIVATE"] = "true"  # the receiver is on this machine
        for name in ("LLM_OBSERVE_GRPC_PORT", "LLM_OBSERVE_UI_PORT", "LLM_OBSERVE_OTLP_PORT"):
            self.env[name] = str(free_port())
        self.env["LLM_OBSERVE_METRICS_PORT"] = str(free_port(3))

    def run(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=check,
            timeout=WAIT_S,
        )

    @property
    def state(self) -> Any:
        return json.loads((self.home / "state.json").read_text())

    def processes(self) -> list[ProcessId]:
        return [ProcessId(entry["pid"], entry["create_time"]) for entry in self.state["processes"]]

    def log_once(self) -> str:
        code = (
            "import llm_observe as o; print(o.log(provider='mine', model='m', latency_s=0.1)); "
            "assert o.flush(300).sent == 1"
        )
        env = {**self.env, "LLM_OBSERVE_ENDPOINT": f"127.0.0.1:{self.env['LLM_OBSERVE_GRPC_PORT']}"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=WAIT_S
        )
        return done.stdout.strip()


@pytest.fixture(scope="module")
def installed():
    """An installation in a path with spaces and an accent."""
    folder = Path(tempfile.mkdtemp(prefix="a päth with spaces "))
    folder.chmod(0o755)
    made = Installation(folder / "home")
    yield made
    made.run("down", check=False)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_first_start_prints_what_to_do_next(installed):
    done = installed.run("up", "--detach")
    assert f"http://127.0.0.1:{installed.env['LLM_OBSERVE_UI_PORT']}" in done.stdout
    assert f"grpcurl -plaintext 127.0.0.1:{installed.env['LLM_OBSERVE_GRPC_PORT']}" in done.stdout
    assert "LLMClient('demo')" in done.stdout
    assert str(installed.home) in done.stdout
    assert {entry["name"] for entry in installed.state["processes"]} == {
        "postgres", "valkey", "server", "worker", "scheduler", "app",
    }  # fmt: skip


def test_a_second_up_is_refused_and_says_how_to_stop_the_first(installed):
    done = installed.run("up", check=False)
    assert done.returncode == 1
    assert "already running" in done.stderr
    assert "llm-observe down" in done.stderr
    assert "Traceback" not in done.stderr


def test_each_process_has_a_port_for_its_metrics(installed):
    first = int(installed.env["LLM_OBSERVE_METRICS_PORT"])
    server, worker, scheduler = (scrape(first + number) for number in range(3))
    assert "llm_observe_queue_depth" in server.names - worker.names
    assert "llm_observe_write_logs_count" in worker.names - server.names
    assert scheduler.names == {"llm_observe_build_info"}


def test_status_shows_every_process_and_health(installed):
    *processes, facts, server, verdict = installed.run("status").stdout.splitlines()
    assert [line.split("\t")[0] for line in processes] == [
        "supervisor", "app", "postgres", "valkey", "server", "worker", "scheduler",
    ]  # fmt: skip
    assert all(line.split("\t")[3].endswith("MB") for line in processes)
    assert "workers 1" in facts
    assert server.endswith(f"(running from {installed.home})")
    assert verdict == "healthy"


def test_logs_are_shown_by_process(installed):
    shown = installed.run("logs", "server", "worker", "-n", "1").stdout
    assert {line.split(" | ")[0].strip() for line in shown.splitlines()} == {"server", "worker"}


def test_the_dashboard_has_an_address(installed):
    done = installed.run("open", BROWSER="true")
    assert done.stdout == f"http://127.0.0.1:{installed.env['LLM_OBSERVE_UI_PORT']}\n"


def test_the_doctor_finds_nothing_wrong(installed):
    shown = installed.run("doctor").stdout
    assert "in use by the instance in" in shown
    assert not [line for line in shown.splitlines() if line.startswith("fail")]


def test_commands_find_the_server_that_runs_from_the_folder(installed):
    nobody = str(free_port())
    done = installed.run("dead-letters", "list", LLM_OBSERVE_GRPC_PORT=nobody)
    assert "no dead letters are waiting" in done.stderr


def test_the_printed_python_line_works(installed):
    block = installed.run("status")
    assert block.returncode == 0
    port = installed.env["LLM_OBSERVE_GRPC_PORT"]
    code = "import llm_observe as o; print(o.LLMClient('demo').chat('hello').text); print(o.flush())"
    env = {**installed.env, "LLM_OBSERVE_ENDPOINT": f"127.0.0.1:{port}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=WAIT_S
    )
    assert "FlushResult(sent=1, dropped=0, pending=0)" in done.stdout


def test_demo_traffic_arrives_and_rollups_verify(installed):
    done = installed.run("demo-traffic", "--logs", "60")
    assert "60 logs sent, 60 stored" in done.stdout
    assert "0 rollups differ" in installed.run("rollups", "verify").stdout


async def test_a_rule_fires_and_its_receiver_is_told(installed):
    def alerts(*words: str) -> str:
        return str(installed.run("alerts", *words).stdout)

    async with running_receiver() as receiver:
        created = await asyncio.to_thread(alerts, "channels", "create", "pager", "--webhook", receiver.url)
        channel_id, secret = created.split()
        words = ("Silence", "--metric", "request_count", "--below", "1", "--model", "nobody calls it")
        await asyncio.to_thread(alerts, "rules", "create", *words, "--channel", channel_id)
        (request,) = await eventually(lambda: receiver.requests)
        timestamp = request.headers["x-llm-observe-timestamp"]
        signature = request.headers["x-llm-observe-signature"]
        assert signature == f"v1={sign(secret, int(timestamp), request.body)}"
        assert request.json["alerts"][0]["labels"]["alertname"] == "Silence"

        async def delivered() -> bool:
            return "delivered" in await asyncio.to_thread(alerts, "list")

        await eventually(delivered)


def test_a_killed_service_is_restarted(installed):
    before = {entry["name"]: entry["pid"] for entry in installed.state["processes"]}
    psutil.Process(before["worker"]).kill()
    while {entry["name"]: entry["pid"] for entry in installed.state["processes"]}.get("worker") in {
        before["worker"],
        None,
    }:
        time.sleep(0.1)  # until the test's own timeout


def test_a_new_start_recovers_from_a_killed_supervisor(installed):
    log_id = installed.log_once()
    old = installed.processes()
    psutil.Process(installed.state["supervisor"]["pid"]).kill()
    installed.run("up", "--detach")
    assert not [process for process in old if process.find() is not None]
    assert installed.log_once() != log_id
    assert "0 rollups differ" in installed.run("rollups", "verify").stdout


def test_down_leaves_no_process_and_is_repeatable(installed):
    running = installed.processes()
    assert "stopped" in installed.run("down").stdout
    assert not [process for process in running if process.find() is not None]
    assert "nothing is running" in installed.run("down").stdout


def test_ctrl_c_leaves_no_process(installed):
    child = subprocess.Popen(
        [*COMMAND, "up"], env=installed.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        for line in child.stdout:
            if "llm-observe down" in line:
                break
        running = installed.processes()
        assert len(running) == 6
        child.send_signal(signal.SIGINT)
        child.wait(WAIT_S)
        child.stdout.read()
    assert child.returncode == 0
    assert not [process for process in running if process.find() is not None]


def test_a_port_in_use_is_reported_with_its_setting(installed):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = installed.run("up", check=False, LLM_OBSERVE_GRPC_PORT=port)
    assert done.returncode == 1
    assert f"port {port} is taken: set LLM_OBSERVE_GRPC_PORT" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must hand its data to another user")
def test_root_stores_postgres_data_where_its_user_can_read_it(tmp_path):
    tmp_path.chmod(0o700)
    hidden = Installation(tmp_path / "home")
    try:
        hidden.run("up", "--detach")
        assert hidden.log_once()
        hidden.run("down")
        hidden.run("up", "--detach")
        assert "0 rollups" in hidden.run("rollups", "verify").stdout
    finally:
        hidden.run("down", check=False)
        data = EmbeddedPostgres(DataDir(tmp_path / "home"), 1).data
        assert data.is_relative_to("/var/lib/llm-observe")
        shutil.rmtree(data.parent)


def test_commands_without_a_running_stack_say_what_to_do(tmp_path):
    stopped = Installation(tmp_path)
    del stopped.env["LLM_OBSERVE_GRPC_PORT"], stopped.env["LLM_OBSERVE_UI_PORT"]
    for arguments in (["status"], ["rollups", "verify"], ["migrate"], ["ledger"], ["open"], ["logs"]):
        done = stopped.run(*arguments, check=False)
        assert done.returncode == 1
        assert "llm-observe up`" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr

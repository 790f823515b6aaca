"""`llm-observe status`: its lines, its verdict and its exit status, for every state of a deployment."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner
from google.protobuf.duration_pb2 import Duration
from llm_observe.v1.health_service_pb2 import (
    HEALTH_STATE_DEGRADED,
    HEALTH_STATE_HEALTHY,
    HEALTH_STATE_UNHEALTHY,
    CheckResponse,
    DependencyHealth,
    HealthProblem,
    QueueHealth,
)

from stack.cli import status as status_command
from stack.cli.deployment import look
from stack.cli.main import cli
from stack.data_dir import DataDir
from stack.processes import ProcessId

POSTGRES = DependencyHealth(name="postgres", state=HEALTH_STATE_HEALTHY, latency=Duration(nanos=1_639_000))
AWAY = HealthProblem(state=HEALTH_STATE_UNHEALTHY, kind="redis_down", message="Redis is away")
NO_WORKER = HealthProblem(state=HEALTH_STATE_DEGRADED, kind="no_worker", message="no worker runs")


def health(state=HEALTH_STATE_HEALTHY, **fields) -> CheckResponse:
    whole = {
        "dependencies": [POSTGRES],
        "queue": QueueHealth(consumer_count=1),
        "dead_letter_count": 0,
        "version": "0.1.0",
    }
    response = CheckResponse(state=state, **{**whole, **fields})
    response.start_time.FromSeconds(int(time.time()) - 14 * 60 - 1)
    return response


@pytest.fixture
def deployment(monkeypatch, tmp_path):
    """Makes a server of the data folder give an answer; its process is this one, or has ended."""
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path))
    home = DataDir(tmp_path)
    home.create()
    own = ProcessId.of(os.getpid())

    def make(answer: CheckResponse | None, *, ended: bool = False) -> None:
        start = own.create_time - (1000 if ended else 0)
        home.write_state(
            {
                "supervisor": {"pid": own.pid, "create_time": own.create_time},
                "ports": {"grpc": 5002},
                "processes": [{"name": "worker", "pid": own.pid, "create_time": start}],
            }
        )

        def query_health(address: str) -> CheckResponse:
            if answer is None:
                raise grpc.RpcError
            return answer

        monkeypatch.setattr("stack.readiness.query_health", query_health)

    return make


CASES = [
    (health(), 0, "healthy"),
    (health(HEALTH_STATE_DEGRADED, problems=[NO_WORKER]), 3, "degraded: no worker runs"),
    (health(HEALTH_STATE_UNHEALTHY, problems=[AWAY, NO_WORKER]), 1, "down: Redis is away; no worker runs"),
    (health(HEALTH_STATE_DEGRADED), 3, "degraded"),
    (None, 1, "down: no answer from 127.0.0.1:5002: see the logs in "),
]


@pytest.mark.parametrize(("answer", "code", "verdict"), CASES, ids=[case[2] for case in CASES])
def test_the_verdict_is_the_last_line_and_the_exit_status(answer, code, verdict, deployment):
    deployment(answer)
    done = CliRunner().invoke(cli, ["status"])
    assert done.exit_code == code
    assert done.stdout.splitlines()[-1].startswith(verdict)
    shown = CliRunner().invoke(cli, ["status", "--json"])
    assert shown.exit_code == code
    parsed = json.loads(shown.stdout)
    assert parsed["state"] == verdict.split(":")[0]
    assert bool(parsed["reasons"]) == (":" in verdict)
    assert (parsed["health"] is None) == (answer is None)


def test_facts_stand_in_one_line(deployment, tmp_path):
    deployment(health())
    lines = CliRunner().invoke(cli, ["status"]).stdout.splitlines()
    assert [line.split("\t")[0] for line in lines[:2]] == ["supervisor", "worker"]
    queue = "queue 0 (oldest \N{EN DASH}) · workers 1 · dead letters 0"
    assert lines[2].startswith(f"postgres 1.6 ms · {queue} · version 0.1.0 · up 14 min")
    assert lines[3] == f"server 127.0.0.1:5002 (running from {tmp_path})"


def test_a_process_has_a_pid_a_start_and_its_memory(deployment):
    deployment(health())
    _, worker = look().processes
    assert (worker.name, worker.pid) == ("worker", os.getpid())
    assert worker.start_time is not None
    assert worker.start_time.timestamp() == ProcessId.of(os.getpid()).create_time
    assert worker.memory_bytes > 10_000_000


def test_a_process_that_ended_is_said_and_degrades(deployment):
    deployment(health(), ended=True)
    done = CliRunner().invoke(cli, ["status"])
    assert done.exit_code == 3
    assert f"worker\t{os.getpid()}\tended" in done.stdout
    assert done.stdout.splitlines()[-1] == "degraded: worker ended"


def test_processes_are_not_those_of_another_server(deployment, monkeypatch):
    deployment(health(), ended=True)
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", "collector.example.com:443")
    done = CliRunner().invoke(cli, ["status"])
    assert done.exit_code == 0
    assert "worker\t" not in done.stdout


def test_watching_ends_with_ctrl_c_and_tells_the_last_state(deployment, monkeypatch):
    deployment(health())
    answers = iter([health(dead_letter_count=1, state=HEALTH_STATE_DEGRADED)])

    def next_state(seconds: float) -> None:
        answer = next(answers, None)
        if answer is None:
            raise KeyboardInterrupt
        deployment(answer)

    monkeypatch.setattr("stack.cli.status.time.sleep", next_state)
    done = CliRunner().invoke(cli, ["status", "--watch", "--json"])
    assert done.exit_code == 3
    assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == ["healthy", "degraded"]


def test_the_runbook_knows_the_exit_statuses():
    page = (Path(__file__).parents[2] / "docs" / "runbooks.md").read_text()
    documented = dict(re.findall(r"(\d) (healthy|degraded|down|\w*unhealthy)", page))
    assert {state: int(code) for code, state in documented.items()} == status_command._EXIT_CODES

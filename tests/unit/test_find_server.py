"""Which server a command speaks to, whatever is set and whatever runs."""

from __future__ import annotations

import os
from itertools import product

import pytest
from click.testing import CliRunner

from stack.cli.main import cli
from stack.cli.server import find_server
from stack.data_dir import DataDir
from stack.errors import StackError
from stack.processes import ProcessId

NAMED, CONFIGURED, OWN = "collector.example.com:443", "127.0.0.1:5001", "127.0.0.1:5002"


def write_state(home: DataDir, *, running: bool) -> None:
    own = ProcessId.of(os.getpid())
    start = own.create_time - (0 if running else 1000)
    home.create()
    home.write_state(
        {
            "supervisor": {"pid": own.pid, "create_time": start},
            "ports": {"grpc": 5002, "ui": 5003},
            "processes": [{"name": "server", "pid": own.pid, "create_time": start}],
        }
    )


@pytest.mark.parametrize(
    ("named", "state", "configured"),
    list(product((True, False), ("none", "stopped", "running"), (True, False))),
)
def test_every_combination(named, state, configured, monkeypatch, tmp_path):
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path))
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f" {NAMED} " if named else "")
    monkeypatch.setenv("LLM_OBSERVE_GRPC_PORT", "5001" if configured else "")
    if state != "none":
        write_state(DataDir(tmp_path), running=state == "running")
    expected = (
        (NAMED, "LLM_OBSERVE_ENDPOINT") if named
        else (OWN, f"running from {tmp_path}") if state == "running"
        else (CONFIGURED, "LLM_OBSERVE_GRPC_PORT") if configured
        else None
    )  # fmt: skip
    if expected is None:
        with pytest.raises(StackError, match=r"llm-observe up.*LLM_OBSERVE_ENDPOINT"):
            find_server()
    else:
        assert find_server() == expected
        assert str(find_server()) == f"{expected[0]} ({expected[1]})"


@pytest.mark.parametrize(
    "words",
    [("ledger",), ("dead-letters", "discard", "--all", "--yes"), ("demo-traffic",), ("export",), ("status",)],
    ids=" ".join,
)
def test_no_command_falls_back_to_the_usual_port(words, monkeypatch, tmp_path):
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path))
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 1
    assert f"nothing runs from {tmp_path}" in f"{done.output}{done.exception}"


def test_errors_say_which_server_it_was(monkeypatch, unused_tcp_port):
    monkeypatch.setenv("LLM_OBSERVE_GRPC_PORT", str(unused_tcp_port))
    done = CliRunner().invoke(cli, ["ledger"])
    assert f"127.0.0.1:{unused_tcp_port} (LLM_OBSERVE_GRPC_PORT)" in str(done.exception)

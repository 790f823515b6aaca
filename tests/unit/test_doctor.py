"""`llm-observe doctor`: each thing that it looks at, and what it says of each state."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner

from stack import diagnosis
from stack.cli.main import cli
from stack.data_dir import DataDir
from stack.diagnosis import examine
from stack.processes import ProcessId
from stack.supervisor import PUBLIC_PORTS
from tests.support.ports import free_port

_Usage = namedtuple("_Usage", "total used free")  # noqa: PYI024 - as shutil has it


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine that lacks nothing but keys of providers."""
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path / "home"))
    for name in ("LLM_OBSERVE_GRPC_PORT", "LLM_OBSERVE_UI_PORT", "LLM_OBSERVE_OTLP_PORT"):
        monkeypatch.setenv(name, str(free_port()))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: _Usage(0, 0, 10**11))
    monkeypatch.setattr(diagnosis, "_is_built", lambda name: True)
    monkeypatch.setenv("OPENAI_API_KEY", "k" * 20)
    return monkeypatch


def found(subject: str) -> tuple[str, str]:
    (finding,) = [finding for finding in examine() if finding.subject == subject]
    return finding.result, f"{finding.details}: {finding.fix}"


def test_a_machine_that_lacks_nothing():
    assert {finding.result for finding in examine()} == {"ok"}
    done = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == 0
    assert all(line.startswith("ok  ") for line in done.stdout.splitlines())


def test_it_makes_nothing(tmp_path):
    examine()
    assert not (tmp_path / "home").exists()


def test_a_failure_has_a_fix_and_an_exit_status(machine):
    machine.setenv("LLM_OBSERVE_LOG_LEVEL", "LOUD")
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    assert done.exit_code == 1
    (failed,) = [finding for finding in json.loads(done.stdout) if finding["result"] == "fail"]
    assert failed["subject"] == "settings"
    assert "LLM_OBSERVE_LOG_LEVEL" in failed["details"]
    assert failed["fix"]


def test_settings_that_are_wrong_say_nothing_of_keys(machine):
    machine.setenv("LLM_OBSERVE_GRPC_HOST", "0.0.0.0")
    assert found("settings")[0] == "fail"
    assert "provider keys" not in {finding.subject for finding in examine()}


@pytest.mark.parametrize(("free", "result"), [(5 * 10**9, "ok"), (2 * 10**9, "warn"), (10**8, "fail")])
def test_disk(machine, free, result):
    machine.setattr(shutil, "disk_usage", lambda path: _Usage(0, 0, free))
    assert found("disk")[0] == result


@pytest.mark.parametrize("name", ["grpc", "ui", "otlp"])
@pytest.mark.parametrize("configured", [True, False])
def test_a_port_that_is_taken(machine, name, configured):
    variable = f"LLM_OBSERVE_{name.upper()}_PORT"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        machine.setitem(PUBLIC_PORTS, name, (variable, port))
        if configured:
            machine.setenv(variable, str(port))
        else:
            machine.delenv(variable)
        result, text = found(f"{name} port")
    assert result == ("fail" if configured else "warn")
    assert f"{port} is taken" in text
    assert variable in text


def test_a_port_in_use_by_the_instance_itself(machine, tmp_path):
    home = DataDir(tmp_path / "home")
    home.create()
    own = ProcessId.of(os.getpid())
    entry = {"pid": own.pid, "create_time": own.create_time}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"grpc": port, "ui": free_port()}
        home.write_state({"supervisor": entry, "ports": ports, "processes": [{"name": "server", **entry}]})  # type: ignore[typeddict-item] # mypy cannot read **
        machine.delenv("LLM_OBSERVE_GRPC_PORT")
        machine.setattr("stack.readiness.ask_health", lambda address: None)
        assert found("grpc port")[0] == "ok"
        assert found("running")[0] == "fail"


def test_a_port_that_is_none(machine):
    machine.setenv("LLM_OBSERVE_UI_PORT", "x")
    assert found("ui port")[0] == "fail"


@pytest.mark.parametrize(("package", "variable"), diagnosis._EMBEDDED.items())
def test_a_store_that_is_missing_or_not_needed(machine, package, variable):
    find = importlib.util.find_spec
    machine.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    result, text = found(package)
    assert result == "fail"
    assert variable in text
    machine.setenv(variable, "postgresql://u@127.0.0.1/n" if "DATABASE" in variable else "redis://127.0.0.1")
    assert found(package)[0] == "ok"


def test_a_package_that_is_missing(machine):
    machine.setattr(diagnosis, "_MODULES", ("grpc", "no_such_package"))
    assert found("packages") == ("fail", "no_such_package not installed: run `make run`")


@pytest.mark.parametrize(
    ("built", "compiler", "expected"),
    [
        (True, True, ("ok", "ok")),
        (True, False, ("ok", "ok")),
        (False, True, ("warn", "ok")),
        (False, False, ("warn", "warn")),
    ],
)
def test_compiled_modules_and_the_compiler(machine, built, compiler, expected):
    machine.setattr(diagnosis, "_is_built", lambda name: built)
    which = shutil.which
    machine.setattr(
        shutil,
        "which",
        lambda name: ("/usr/bin/cc" if compiler else None) if name in diagnosis._COMPILERS else which(name),
    )
    assert (found("compiled modules")[0], found("compiler")[0]) == expected


def test_compiled_modules_that_are_switched_off(machine):
    machine.setenv("LLM_OBSERVE_NO_EXTENSIONS", "1")
    assert found("compiled modules")[0] == "warn"


def test_every_compiled_module_is_looked_for():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    names = [line.split('"')[1] for line in text.splitlines() if line.startswith('name = "') and "._" in line]
    assert sorted(names) == sorted(diagnosis._COMPILED)


def test_no_key_of_a_provider(machine):
    machine.delenv("OPENAI_API_KEY")
    result, text = found("provider keys")
    assert result == "warn"
    assert "OPENAI_API_KEY" in text


def test_no_key_is_shown(machine):
    secret = "sk-" + "s3cret" * 6
    machine.setenv("OPENAI_API_KEY", secret)
    machine.setenv("LLM_OBSERVE_UI_API_KEY", secret)
    assert secret not in CliRunner().invoke(cli, ["doctor"]).output


def test_keys_that_are_required_and_not_set(machine):
    machine.setenv("LLM_OBSERVE_REQUIRE_KEYS", "true")
    missing = [finding.details for finding in examine() if finding.subject == "api keys"]
    assert [text.split()[2] for text in missing] == ["LLM_OBSERVE_API_KEY", "LLM_OBSERVE_UI_API_KEY"]


def test_a_data_folder_that_cannot_be_made(machine, tmp_path):
    (tmp_path / "file").touch()
    machine.setenv("LLM_OBSERVE_HOME", str(tmp_path / "file" / "home"))
    result, text = found("data folder")
    assert result == "fail"
    assert "LLM_OBSERVE_HOME" in text

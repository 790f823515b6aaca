"""Messages name the command as it can be pasted."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from stack.cli.main import main
from stack.cli.program import name_program, program


def install(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "llm-observe"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def place(monkeypatch, tmp_path):
    """Installs the command in a folder, with a shell in another."""

    def put(folder: str, *, on_path: str = "", here: str = "") -> None:
        path = install(tmp_path / folder)
        monkeypatch.setattr(sys, "executable", str(path.with_name("python")))
        monkeypatch.setenv("PATH", str(tmp_path / on_path) if on_path else "")
        monkeypatch.chdir(tmp_path / here)

    return put


def test_on_path_it_has_its_name(place):
    place("bin", on_path="bin")
    assert program() == "llm-observe"


def test_below_the_current_folder_it_has_a_relative_path(place):
    place(".venv/bin")
    assert program() == ".venv/bin/llm-observe"


def test_elsewhere_it_has_its_whole_path(place, tmp_path):
    (tmp_path / "here").mkdir()
    place("a folder/bin", here="here")
    assert program() == shlex.quote(str(tmp_path / "a folder" / "bin" / "llm-observe"))


def test_another_one_on_path_is_not_meant(place, tmp_path):
    install(tmp_path / "other")
    place("bin", on_path="other")
    assert program() == "bin/llm-observe"


def test_without_a_script_it_has_its_name(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert program() == "llm-observe"


def test_commands_in_messages_are_replaced_and_nothing_else(place):
    place("bin")
    text = "`llm-observe up`, or see llm-observe in /var/lib/llm-observe: `llm-observe keys list`"
    assert name_program(text) == (
        "`bin/llm-observe up`, or see llm-observe in /var/lib/llm-observe: `bin/llm-observe keys list`"
    )


def test_errors_and_usage_name_it(place, monkeypatch, tmp_path, capsys):
    place("bin")
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", ["llm-observe", "ledger"])
    assert main() == 1
    assert "start everything with `bin/llm-observe up`" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["llm-observe", "ledger", "--hours", "x"])
    assert main() == 2
    assert "Usage: bin/llm-observe ledger" in capsys.readouterr().err

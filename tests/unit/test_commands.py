"""Every command: what it needs, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from stack.cli.main import cli

NOWHERE = {"LLM_OBSERVE_ENDPOINT": "127.0.0.1:1", "DATABASE_URL": "postgresql://user@127.0.0.1:1/none"}
ONE_OF = {
    ("alerts", "rules", "create"): ["--above", "1"],
    ("alerts", "budgets", "create"): ["--month", "1"],
    ("erase",): ["--user", "1"],
    ("alerts", "channels", "create"): ["--webhook", "https://example.com/"],
}
"""Options one of which a command needs, which click cannot tell."""


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


def value_of(parameter: click.Parameter) -> str:
    """Return a value that the parameter takes."""
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    return str(uuid.uuid4()) if parameter.type is click.UUID else "1"


def arguments_of(command: click.Command) -> list[str]:
    """Return the arguments without which the command does not run."""
    given = []
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            given += [parameter.opts[0], value_of(parameter)] if parameter.required else []
            given += ["--yes"] * ("--yes" in parameter.opts) + ["--logs", "1"] * ("--logs" in parameter.opts)
        else:
            given.append(value_of(parameter))
    return given


@pytest.mark.parametrize(
    ("names", "command"), [pytest.param(*found, id=" ".join(found[0])) for found in commands(cli)]
)
def test_no_command_but_up_needs_a_data_folder(names, command, monkeypatch, tmp_path):
    """In a container the file system is read-only, and the stores and the server are elsewhere."""
    if names == ("up",):
        pytest.skip("the one that makes it")
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("stack.demo.sending._RETRY_FOR_S", 0.0)
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(cli, [*names, *arguments_of(command), *ONE_OF.get(names, ())])
    assert done.exit_code != 2, done.output  # it was run, not refused for its arguments
    assert not (tmp_path / "home").exists()


def test_no_command_waits_for_packages_that_others_need():
    code = "import sys, stack.cli.main; print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = ("genai_prices", "duckdb", "pyarrow", "streamlit", "openai")
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_up_says_which_setting_names_the_folder(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path / "file" / "home"))
    done = CliRunner().invoke(cli, ["up"])
    assert "set LLM_OBSERVE_HOME to another folder" in str(done.exception)

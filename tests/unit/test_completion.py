"""Shells complete the words of the command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stack.cli.main import cli

SCRIPT = """
source "$1"
COMP_WORDS=({words}); COMP_CWORD={last}
_llm_observe_completion llm-observe
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell):
    done = CliRunner().invoke(cli, ["completion", shell])
    assert done.exit_code == 0
    assert "_LLM_OBSERVE_COMPLETE" in done.stdout


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for bash, in a file."""
    path = tmp_path_factory.mktemp("completion") / "script"
    path.write_text(CliRunner().invoke(cli, ["completion", "bash"]).stdout)
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "last", "expected"),
    [
        ("llm-observe dead", 1, ["dead-letters"]),
        ("llm-observe dead-letters ''", 2, ["list", "show", "replay", "discard"]),
        ("llm-observe status --w", 2, ["--watch"]),
        ("llm-observe completion z", 2, ["zsh"]),
        ("llm-observe logs w", 2, ["worker"]),
    ],
)
def test_bash_completes(script, words, last, expected, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker.log").touch()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", SCRIPT.format(words=words, last=last), "bash", script],
        env={**os.environ, "PATH": path, "LLM_OBSERVE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert set(done.stdout.split()) == set(expected)

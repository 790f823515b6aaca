"""Packages of others, as they come from the package index, each in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.support.repository import ROOT

LONG_S: Final = 3600
PROGRAMS: Final = ROOT / "tests/frameworks/programs"
"""Where the scenarios are that programs share."""
_VERSIONS: Final = (
    "from importlib import metadata; import sys\n"
    "for name in sys.argv[1:]:\n"
    "    try: print(name, metadata.version(name), end='; ')\n"
    "    except metadata.PackageNotFoundError: pass\n"
)


class Environment(NamedTuple):
    """Where packages are installed."""

    name: str
    python: Path

    def versions(self, packages: Sequence[str]) -> str:
        """Return the versions of packages, as far as they are there."""
        names = dict.fromkeys(name.partition("[")[0].partition("<")[0] for name in packages)
        command: list[str] = [str(self.python), "-c", _VERSIONS, *names]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip("; ")

    def run(self, *command: str | Path, env: Mapping[str, str]) -> str:
        """Run a program, which must succeed; return what it prints."""
        done = subprocess.run(
            [self.python, *command],
            env={"HOME": str(self.python.parent), **env},
            capture_output=True,
            text=True,
            timeout=LONG_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def install(name: str, packages: Sequence[str], folder: str | Path) -> Environment:
    """Return an environment that has packages; it is made in a folder unless it is there already."""
    python = Path(folder) / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", *packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONG_S)
        if done.returncode:
            pytest.skip(f"{name} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return Environment(name, python)


BEHAVIOURS: Final[dict[str, dict[str, Any]]] = {
    "tool": {"tool_arguments": {"city": "Oslo"}},
    "error": {"status": 400, "request_id_in_error": True},
    "fields": {"text": "[[ ## answer ## ]]\nIt rains.\n\n[[ ## completed ## ]]"},
}
"""How the provider answers, by the last word of a scenario's name."""


def behaviour_of(model: str) -> dict[str, Any]:
    """Return how the provider answers calls of a scenario's model."""
    return next((each for word, each in BEHAVIOURS.items() if model.endswith(word)), {})

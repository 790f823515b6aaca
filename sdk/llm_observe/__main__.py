"""Runs a program whose calls to models are recorded, without a change to its code.

python -m llm_observe run app.py [ARGUMENTS]
python -m llm_observe run -m module [ARGUMENTS]
python -m llm_observe run uvicorn shop:app [ARGUMENTS]

The program replaces this process. Its child processes in Python are recorded, too, as are reloaders', unless
they get another PYTHONPATH. Settings are the variables LLM_OBSERVE_...
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_STARTUP: Final = str(Path(__file__).parent / "_startup")


def main(arguments: list[str]) -> int:
    """Run a program; return only where it cannot replace this process, the exit status."""
    if arguments[:1] != ["run"] or not arguments[1:]:
        sys.stderr.write(__doc__ or "")
        return 2
    command = _command(arguments[1:])
    paths = [_STARTUP, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if os.name == "nt":  # where exec starts another process, and ends this one before it
        return subprocess.call(command, env=environment)  # noqa: S603 - what the user asked for
    return os.execve(command[0], command, environment)  # noqa: S606 - as above


def _command(arguments: list[str]) -> list[str]:
    """Return what to execute: a command of the environment or of PATH as it is, all else by Python."""
    paths = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    command = None if arguments[0].endswith(".py") else shutil.which(arguments[0], path=paths)
    return [command, *arguments[1:]] if command else [sys.executable, *arguments]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

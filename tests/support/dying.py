"""Runs code in a process that dies by SIGKILL as soon as it reaches a function."""

from __future__ import annotations

import signal
import subprocess
import sys

_DIES = """
import os, signal, sys
from importlib import import_module

module, _, path = sys.argv.pop(1).partition(":")
*outer, last = path.split(".")
holder = import_module(module)
for name in outer:
    holder = getattr(holder, name)
setattr(holder, last, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
"""


def die_at(where: str, code: str, *arguments: str) -> None:
    """Run code, whose imports come after, until it calls ``module:function``, and kill it there."""
    done = subprocess.run(
        [sys.executable, "-c", _DIES + code, where, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr

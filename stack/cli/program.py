"""How this command is called here: by its name, or by its path where it is not on PATH."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

NAME: Final = "llm-observe"


def program() -> str:
    """Return what to type in the current folder to run this command."""
    path = Path(sys.executable).with_name(NAME)
    on_path = shutil.which(NAME)
    if not path.exists() or (on_path and path.samefile(on_path)):
        return NAME
    return shlex.quote(str(_shortened(path)))


def name_program(text: str) -> str:
    """Return a message in which commands in backticks can be pasted."""
    return text.replace(f"`{NAME} ", f"`{program()} ")


def _shortened(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path

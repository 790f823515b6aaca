"""Fails unless every compiled module that a pyproject.toml names is installed: check_compiled.py PYPROJECT.

To people without a C compiler they are optional; an image without them would only be slow, and nobody would
notice. Run it from a folder without the source, which would be imported in place of what is installed.
"""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path


def main(pyproject: str) -> int:
    """Return 0 if all are there, else 1."""
    declared = tomllib.loads(Path(pyproject).read_text("utf-8"))["tool"]["setuptools"]["ext-modules"]
    missing = [module["name"] for module in declared if not _is_compiled(module["name"])]
    for name in missing:
        sys.stderr.write(f"{name} is not compiled\n")
    return int(bool(missing))


def _is_compiled(name: str) -> bool:
    try:
        module = importlib.import_module(name)
    except ImportError:
        return False
    return (module.__file__ or "").endswith(".so")


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))

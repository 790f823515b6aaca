"""Recall, over-redaction, speed and worst case on labelled texts: python -m benchmarks.redaction [folder].

The folder holds the labelled texts and their scorer (score.py), by default ../shared/data/redaction beside
the repository. They are not part of it; without them there is nothing to measure, and this says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from llm_observe.redaction import Redactor

_REDACTOR = Redactor()


def redact(text: str) -> str:
    """The function that is scored."""
    return _REDACTOR.redact(text)


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/redaction").resolve()
    if not (folder / "score.py").exists():
        print(f"no labelled texts in {folder}: name their folder as the argument")
        return 1
    root = str(Path(__file__).parent.parent)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "score.py", "benchmarks.redaction:redact", "--split", "dev"]
    return subprocess.run(command, cwd=folder, env=env, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())

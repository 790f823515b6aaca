"""docs/licences.md says what the locks hold, and nothing has a licence that is not allowed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_every_dependency_has_a_licence_that_is_allowed_and_documented():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/licences.py"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "docs/licences.md").read_text(), "run `make licences`"

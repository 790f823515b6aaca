"""Asks the API server of kubectl's current context about every object of each overlay, and every mistake.

Run as `python -m tests.k8s.dry_run`. Nothing is stored (`--dry-run=server`). The namespace must be there,
and so must the definitions of custom resources. An older server is asked about what older.py makes of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from tests.k8s.manifests import KUBECTL, OVERLAYS, Object, render, where
from tests.k8s.mistakes import MISTAKES
from tests.k8s.mistakes.edits import find
from tests.k8s.older import rewrite

FIRST_MINOR = 30
"""From this version on a server is asked about the objects as they are."""


def server_minor() -> int:
    done = subprocess.run(
        [KUBECTL, "version", "-o", "json"], capture_output=True, text=True, check=True, timeout=60
    )
    return int(json.loads(done.stdout)["serverVersion"]["gitVersion"].split(".")[1])


def ask(item: Object, *, older: bool) -> tuple[bool, str]:
    """Return whether the server would take an object, and what it says."""
    done = subprocess.run(
        [KUBECTL, "apply", "--dry-run=server", "-f", "-"],
        input=json.dumps(rewrite(item) if older else item),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode == 0, " ".join((done.stdout if done.returncode == 0 else done.stderr).split())


def changed() -> Iterator[tuple[str, Object]]:
    """Yield each mistake, and an object with it."""
    for name, mistake in MISTAKES.items():
        found = (find(render(overlay), mistake) for overlay in OVERLAYS)
        item = next(item for item in found if item is not None)
        mistake.change(item)
        yield name, item


def main() -> bool:
    minor = server_minor()
    older = minor < FIRST_MINOR
    print(f"server 1.{minor}" + (": asked about objects rewritten for it" if older else ""))
    refused = 0
    for overlay in OVERLAYS:
        for item in render(overlay).objects:
            taken, said = ask(item, older=older)
            refused += not taken
            print(f"{overlay}: {'taken' if taken else 'REFUSED'}: {where(item)}: {said}", flush=True)
    answers = [(name, *ask(item, older=older)) for name, item in changed()]
    for name, taken, said in answers:
        print(f"mistake: {'taken' if taken else 'refused'}: {name}: {said}", flush=True)
    print(f"{refused} objects refused; of {len(answers)} mistakes "
          f"{sum(not taken for _, taken, _ in answers)} refused")  # fmt: skip
    return refused == 0


if __name__ == "__main__":
    sys.exit(not main())

"""Whoever waits behind a lock waits for what its holder awaits, so each lock says why that is bounded.

A store that hangs must delay each call by its own time-out, once. A lock held across a call to it would add
the time-outs of all who wait: 200 callers and a time-out of a second were 200 seconds.
"""

from __future__ import annotations

import ast
from pathlib import Path

import server

_ROOT = Path(server.__file__).parent.parent
_PACKAGES = ("server", "worker", "codec", "analytics", "storage", "telemetry")
_KINDS = {"Lock", "Semaphore", "BoundedSemaphore", "Condition"}
_REASONS = {
    "server/reports/turns.py": "waiting for a turn has a time-out; then the caller is told SERVER_BUSY",
    "analytics/sandbox/processes.py": "waiting for a process has a time-out, too",
    "storage/pool.py": "held while a pool without connections is made, which asks nobody",
    "worker/queue/broker.py": "a condition of the worker alone, held for no await but its own",
}
"""By file: what bounds the wait behind its locks."""


def _files_with_locks() -> set[str]:
    return {
        str(path.relative_to(_ROOT))
        for package in _PACKAGES
        for path in (_ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _KINDS
        and ast.unparse(node.func.value) in {"asyncio", "threading"}
    }


def test_each_file_with_locks_says_what_bounds_the_wait():
    assert _files_with_locks() == set(_REASONS)

"""Waiting for what other processes do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

WAIT_S = 600.0
"""A test that waits longer has failed; no wait takes this long, even on a busy machine."""


async def eventually(check: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
    """Wait until a check, plain or awaitable, is true, and return its value."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {timeout_s} s")
        await asyncio.sleep(0.05)

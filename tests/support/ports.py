"""Ports for processes that are started, killed and started again at the same address."""

from __future__ import annotations

import random

from stack.processes import port_is_free

_CHANCE = random.SystemRandom()  # two processes that run tests must not draw the same


def free_port() -> int:
    """Return a free port below the range from which the kernel assigns ports to connections."""
    while not port_is_free(port := _CHANCE.randrange(12_000, 32_000)):
        pass
    return port

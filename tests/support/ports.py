"""Ports for processes that are started, killed and started again at the same address."""

from __future__ import annotations

import random

from stack.processes import port_is_free

_CHANCE = random.SystemRandom()  # two processes that run tests must not draw the same


def free_port(count: int = 1) -> int:
    """Return the first of so many free ports, below the range from which the kernel assigns ports."""
    while True:
        first = _CHANCE.randrange(12_000, 32_000)
        if all(port_is_free(first + number) for number in range(count)):
            return first

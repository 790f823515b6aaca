"""Generates ids."""

from __future__ import annotations

import os
import random
import time

_random = random.Random()  # noqa: S311 - unique, not secret; seeded from the system's entropy
"""Our own generator, which the application's random.seed() does not affect. os.urandom() would release the
GIL for each id, and a busy application returns it only after 5 ms: the sender would fall behind."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def uuid7(now_ns: int | None = None) -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7) as text."""
    milliseconds = (time.time_ns() if now_ns is None else now_ns) // 1_000_000
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | _random.getrandbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def random_id(bits: int) -> int:
    """Return a random number of so many bits that is not 0, such as a trace id (128) or a span id (64)."""
    return _random.getrandbits(bits) or 1

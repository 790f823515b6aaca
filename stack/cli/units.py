"""Durations, sizes and counts for people."""

from __future__ import annotations

from typing import Final

_UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_SIZES: Final = ("B", "kB", "MB", "GB", "TB")
_STEP: Final = 1000


def format_duration(seconds: float) -> str:
    """Return seconds in the two largest units, such as ``1.6 ms``, ``45 s`` or ``2 d 4 h``."""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    left, parts = int(seconds), list[str]()
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:  # noqa: PLR2004 - the two largest
            break
    return " ".join(filter(None, parts))


def format_size(size: float) -> str:
    """Return bytes in a unit in which they are below 1000, such as ``182 MB`` or ``1.4 GB``."""
    for unit in _SIZES:
        if size < _STEP or unit == _SIZES[-1]:
            break
        size /= _STEP
    return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"  # noqa: PLR2004 - two digits


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 log`` or ``2 logs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

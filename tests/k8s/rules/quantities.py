"""Kubernetes' quantities: 500m, 1.5, 256Mi."""

from __future__ import annotations

import re

_UNITS = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip


def quantity(text: object) -> float | None:
    """Return the amount that a quantity stands for; None if it is none."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)", str(text))
    if not found or found[2] not in _UNITS:
        return None
    return float(found[1]) * _UNITS[found[2]]

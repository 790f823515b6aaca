"""Figures, printed as JSON."""

from __future__ import annotations

import json
from typing import Any


def report(**figures: Any) -> None:
    """Print figures as one JSON object."""
    print(json.dumps(figures, indent=2, default=str))


def ratio(ours: float, bare: float) -> float:
    """Return ours over bare, to three digits."""
    return round(ours / bare, 3)

"""The compiled screen against the detectors: one that it leaves out finds nothing."""

from __future__ import annotations

from llm_observe._redaction.detectors import ALL_BITS, BITS, DETECTORS
from llm_observe._redaction.normalise import Scan
from llm_observe.redaction import Redactor, clean

from codec._plain_text import suspects_in

USUAL = Redactor().detectors
"""The detectors that are used unless others are asked for."""


def plain(text: str, limit: int = 500) -> bool:
    """Return whether the screen leaves out every detector that is used by default."""
    return not suspects_in(text, limit) & USUAL


def wrongly_left_out(text: str) -> list[str]:
    """Return the detectors that the screen leaves out though they find something."""
    suspects = suspects_in(text, 4_000)
    if suspects == ALL_BITS:
        return []
    scan = Scan(clean(text))
    return [
        detector.name
        for detector in DETECTORS
        if not suspects & detector.bit
        and detector.literal in scan.lowered
        and (scan.has_digit or not detector.needs_digit)
        and any(True for _ in detector.find(scan))
    ]


def count_suspects(text: str) -> int:
    """Return how many of the detectors used by default the screen does not leave out."""
    return (suspects_in(text, 4_000) & USUAL).bit_count()


__all__ = ["BITS", "count_suspects", "plain", "wrongly_left_out"]

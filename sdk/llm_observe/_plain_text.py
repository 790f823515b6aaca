"""Says which detectors could find something in a text: the twin of _compiled/_plain_text.pyx in Python."""

from __future__ import annotations

from llm_observe.screening import ALL_BITS


def suspects_in(text: str, limit: int = 500) -> int:  # noqa: ARG001 - the twin's arguments
    """Return the detectors that have to look at a text, a bit each: all of them."""
    return ALL_BITS

"""How much of a request is read."""

from __future__ import annotations

from typing import Final

MAX_REQUEST_BYTES: Final = 20 * 1024 * 1024
"""Largest request, before and after it is unpacked: the specification's number."""
MAX_SPANS: Final = 10_000
"""Most spans, or log records, in a request."""
MAX_ATTRIBUTES: Final = 1_000
"""Most attributes that are read of a span, and items of a list."""
MAX_EVENTS: Final = 1_000
"""Most events that are read of a span."""
MAX_VALUE_CHARS: Final = 1024 * 1024
"""How much is read of a text, in characters."""
MAX_VALUE_DEPTH: Final = 8
"""Deepest nesting of lists and maps in an attribute that is read."""


def cut_value(text: str) -> str:
    """Return the start of a text, no longer than what is read of one."""
    return text if len(text) <= MAX_VALUE_CHARS else text[:MAX_VALUE_CHARS]

"""Says which detectors could find something in a text. The sender's thread imports it: it loads them all.

LLM_OBSERVE_NO_EXTENSIONS=1 chooses the twin in Python, as in _extensions.py.
"""

from __future__ import annotations

import os
from typing import Final

try:
    if os.environ.get("LLM_OBSERVE_NO_EXTENSIONS"):
        raise ImportError("switched off")  # noqa: TRY301 - one way to the twin
    from llm_observe._compiled._plain_text import suspects_in
except ImportError:
    from llm_observe._plain_text import suspects_in

_READ_CHARS: Final = 4_000
"""How much of a text the Redactor reads for a preview."""


def screen(text: str) -> int:
    """Return the detectors that have to look at a text, a bit each: mostly none."""
    return suspects_in(text[:_READ_CHARS], _READ_CHARS)

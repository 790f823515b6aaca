"""Chooses the compiled modules where they were built, or else their twins in Python.

LLM_OBSERVE_NO_EXTENSIONS=1 chooses the twins (docs/decisions/0010-compiled.md).
"""

from __future__ import annotations

import os

try:
    if os.environ.get("LLM_OBSERVE_NO_EXTENSIONS"):
        raise ImportError("switched off")  # noqa: TRY301 - one way to the twins
    from llm_observe._compiled.text_loops import (
        apass_texts,
        candidate_text,
        chat_text,
        message_text,
        pass_texts,
        response_text,
    )

    COMPILED = True
except ImportError:
    from llm_observe._text_loops import (
        apass_texts,
        candidate_text,
        chat_text,
        message_text,
        pass_texts,
        response_text,
    )

    COMPILED = False

__all__ = [
    "COMPILED", "apass_texts", "candidate_text", "chat_text", "message_text", "pass_texts", "response_text",
]  # fmt: skip

"""Chooses the compiled reader and check where they were built, or else their twins in Python.

LLM_OBSERVE_NO_EXTENSIONS=1 chooses the twins (docs/decisions/0010-compiled.md).
"""

from __future__ import annotations

import os

try:
    if os.environ.get("LLM_OBSERVE_NO_EXTENSIONS"):
        raise ImportError("switched off")  # noqa: TRY301 - one way to the twins
    from codec._plain_text import suspects_in
    from codec._reader import add_up, read_batch
    from codec._scan import scan_logs

    COMPILED = True
except ImportError:
    from codec.packing import add_up, read_batch
    from codec.plain_text import suspects_in
    from codec.scan import scan_logs

    COMPILED = False

__all__ = ["COMPILED", "add_up", "read_batch", "scan_logs", "suspects_in"]

"""A pytest plugin, loaded before our code, that keeps the developer's settings and keys from the tests."""

from __future__ import annotations

import os
import sys

_PREFIXES = ("LLM_OBSERVE_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "OTEL_")
_NAMES = ("DATABASE_URL", "REDIS_URL")
_KEPT = ("LLM_OBSERVE_NO_EXTENSIONS",)
"""Chooses which code is tested."""

for _name in list(os.environ):
    if (_name.startswith(_PREFIXES) or _name in _NAMES) and _name not in _KEPT:
        del os.environ[_name]

# Images of Python often set it. Each of the hundreds of processes that tests start, and each process of
# pytest, would then compile all our code again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

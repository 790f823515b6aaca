"""A pytest plugin, loaded before our code, that keeps the developer's settings and keys from the tests."""

from __future__ import annotations

import os

_PREFIXES = ("LLM_OBSERVE_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "OTEL_")
_NAMES = ("DATABASE_URL", "REDIS_URL")
_KEPT = ("LLM_OBSERVE_NO_EXTENSIONS",)
"""Chooses which code is tested."""

for _name in list(os.environ):
    if (_name.startswith(_PREFIXES) or _name in _NAMES) and _name not in _KEPT:
        del os.environ[_name]

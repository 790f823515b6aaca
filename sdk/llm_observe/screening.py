"""The literals that the detectors of llm_observe.redaction search for. Standard library only.

For programs that screen texts before redaction: a text without any of these, without digits and without the
signs of addresses has nothing to redact.
"""

from __future__ import annotations

from typing import Final

from llm_observe._redaction.credentials import WEBHOOKS
from llm_observe._redaction.names import NOT_NAMES, STEMS
from llm_observe._redaction.ibans import IBAN_LENGTHS
from llm_observe._redaction.prefixes import ALL

__all__ = ["IBAN_COUNTRIES", "KEY_PREFIXES", "SECRET_WORDS", "STEMS", "WEBHOOK_HOSTS", "is_harmless_name"]

KEY_PREFIXES: Final = tuple((prefix.text, prefix.min_chars) for prefix in ALL)
"""Prefixes of vendors' keys, each with the least number of characters that follow."""
SECRET_WORDS: Final = STEMS
"""Words that announce a secret in prose: ``my password is ...``."""
WEBHOOK_HOSTS: Final = tuple(host for host, _ in WEBHOOKS)
IBAN_COUNTRIES: Final = tuple(IBAN_LENGTHS)
"""Two letters each."""


def is_harmless_name(name: str) -> bool:
    """Return whether a name that contains one of STEMS is harmless, such as ``max_tokens``."""
    return NOT_NAMES.fullmatch(name) is not None

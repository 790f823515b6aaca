"""Shows what was redacted: placeholders such as ``[EMAIL]`` stand out, and a line names them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS: Final = frozenset({
    "API_KEY", "AUTH", "AWS_KEY", "CREDIT_CARD", "EMAIL", "IBAN", "IP_ADDRESS", "JWT", "MAC_ADDRESS", "PHONE",
    "PRIVATE_KEY", "SECRET", "SSN", "URL_PASSWORD", "WALLET", "WEBHOOK",
})  # fmt: skip
"""What stands in the placeholders. Kinds of a user's own are shown as any other text."""
_WORDS: Final = "|".join(sorted(KINDS))
_PLACEHOLDER: Final = re.compile(rf"\[({_WORDS})\]")
_ESCAPED: Final = re.compile(r"\\\[(" + _WORDS.replace("_", r"\\_") + r")\\\]")


def find_redactions(texts: Iterable[str]) -> list[str]:
    """Return the kinds that were redacted in texts, each once, in order."""
    return list(dict.fromkeys(kind for text in texts for kind in _PLACEHOLDER.findall(text)))


def mark_redactions(markdown: str) -> str:
    """Return escaped markdown, as ``safe_markdown`` makes it, in which the placeholders stand out."""
    return _ESCAPED.sub(r":violet-background[\\[\1\\]]", markdown)


def describe_redactions(kinds: Iterable[str]) -> str:
    """Return a line of markdown that names what was redacted; empty for nothing."""
    words = ", ".join(kind.replace("_", " ").lower() for kind in kinds)
    return f":violet[:material/shield:] Stored redacted: {literal(words)}" if words else ""

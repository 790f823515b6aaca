"""The built-in kinds, and rules of the user's own. The settings import it, so it imports little."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KINDS: Final = frozenset({
    "API_KEY", "AUTH", "AWS_KEY", "CREDIT_CARD", "EMAIL", "IBAN", "IP_ADDRESS", "JWT", "MAC_ADDRESS", "PHONE",
    "PRIVATE_KEY", "SECRET", "SSN", "URL_PASSWORD", "WALLET", "WEBHOOK",
})  # fmt: skip
"""Every built-in kind."""
NATIONAL_KINDS: Final = frozenset({"ID_BR", "ID_CA", "ID_CN", "ID_FR", "ID_IN", "ID_PL", "ID_UK"})
"""National ids: CPF, SIN, resident id, INSEE, Aadhaar, PESEL, NHS number. Redacted only if asked for."""
_KIND: Final = re.compile(r"[A-Z0-9_]{2,24}")


class Rule(NamedTuple):
    """A rule of the user's own kind."""

    kind: str
    """Text of the placeholder: 2 to 24 upper case letters, digits and underscores."""
    anchors: tuple[str, ...]
    """Lower-case literals. The pattern is tried only if the text contains one; empty means always."""
    pattern: re.Pattern[str]
    """Text to replace. Avoid nested repetition: hostile text could make it slow."""


def check_kinds(kinds: Iterable[str], known: frozenset[str] = KINDS) -> frozenset[str]:
    """Return the kinds as a set.

    Raises:
        ValueError: A kind is not known; a typo must not go unnoticed.
    """
    checked = frozenset(kinds)
    if unknown := checked - known:
        raise ValueError(f"unknown kinds: {', '.join(sorted(unknown))}")
    return checked


def parse_kinds(text: str) -> tuple[str, ...]:
    """Parse kinds separated by commas."""
    return tuple(kind for part in text.split(",") if (kind := part.strip().upper()))


def parse_patterns(text: str) -> dict[str, str]:
    """Parse a JSON object of kind to regular expression; an empty text has none.

    Raises:
        ValueError: The text is not such an object.
    """
    patterns = json.loads(text or "{}")
    if not isinstance(patterns, dict) or not all(isinstance(value, str) for value in patterns.values()):
        raise ValueError("must be a JSON object that maps kinds to regular expressions")
    return patterns


def make_rules(patterns: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return a rule for each kind and its regular expression.

    Raises:
        ValueError: A kind is not a valid placeholder, or an expression does not compile.
    """
    for kind in patterns:
        if not _KIND.fullmatch(kind):
            raise ValueError("a kind must be 2 to 24 upper-case letters, digits and underscores")
    try:
        return tuple(Rule(kind, (), re.compile(pattern)) for kind, pattern in patterns.items())
    except re.error as error:
        raise ValueError(f"a pattern is not a valid regular expression: {error.msg}") from None

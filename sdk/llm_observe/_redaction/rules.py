"""Which kinds there are, and rules of the user's own. Settings are checked with it, so it loads little."""

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
_KIND: Final = re.compile(r"[A-Z0-9_]{2,24}")


class Rule(NamedTuple):
    """A kind of your own."""

    kind: str
    """What the placeholder says; 2 to 24 upper case letters, digits and underscores."""
    anchors: tuple[str, ...]
    """Lower-case literals, one of which must be there before the pattern is tried; empty means always."""
    pattern: re.Pattern[str]
    """What to replace. Keep it free of nested repetition: hostile text will be tried on it."""


def check_kinds(kinds: Iterable[str]) -> frozenset[str]:
    """Return the kinds to leave alone.

    Raises:
        ValueError: One is not of KINDS: a typing error must not leave it on unnoticed.
    """
    found = frozenset(kinds)
    if unknown := found - KINDS:
        raise ValueError(f"unknown kinds: {', '.join(sorted(unknown))}")
    return found


def parse_kinds(text: str) -> tuple[str, ...]:
    """Read kinds separated by commas."""
    return tuple(kind for part in text.split(",") if (kind := part.strip().upper()))


def parse_patterns(text: str) -> dict[str, str]:
    """Read a JSON object of kind to regular expression; empty text means none.

    Raises:
        ValueError: It is something else.
    """
    found = json.loads(text or "{}")
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError("a JSON object of kind to regular expression is wanted")
    return found


def make_rules(patterns: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return a rule for each kind and its regular expression.

    Raises:
        ValueError: A kind is no name for a placeholder, or an expression does not compile.
    """
    for kind in patterns:
        if not _KIND.fullmatch(kind):
            raise ValueError("a kind is 2 to 24 upper case letters, digits and underscores")
    try:
        return tuple(Rule(kind, (), re.compile(pattern)) for kind, pattern in patterns.items())
    except re.error as error:
        raise ValueError(f"a pattern is no regular expression: {error.msg}") from None

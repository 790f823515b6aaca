"""Redaction: the one choke point that every text passes before it leaves a process. Standard library only.

Detectors are anchored on a literal that is cheap to look for, so that clean text costs little, and every
pattern is free of nested repetition, so that hostile text costs the same per byte as plain text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from llm_observe._redaction.addresses import find_emails, find_machine_addresses, find_wallets
from llm_observe._redaction.assignments import find_assigned
from llm_observe._redaction.credentials import (
    find_headers,
    find_jwts,
    find_prefixed,
    find_private_keys,
    find_url_secrets,
)
from llm_observe._redaction.normalise import Scan, TextRange
from llm_observe._redaction.numbers import find_ibans, find_numbers
from llm_observe._redaction.rules import KINDS, Rule, check_kinds, make_rules, parse_kinds, parse_patterns
from llm_observe._values import clean
from llm_observe.limits import (
    MAX_METADATA_KEY_CHARS,
    MAX_METADATA_PAIRS,
    MAX_METADATA_VALUE_CHARS,
    MAX_PREVIEW_CHARS,
    MAX_TAG_CHARS,
    MAX_TAGS,
    MAX_TEXT_CHARS,
)

__all__ = ["KINDS", "PREVIEW_CHARS", "Redactor", "Rule", "clean", "cut"]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TEXT_DETECTORS: Final = (
    find_private_keys,
    find_url_secrets,
    find_prefixed,
    find_jwts,
    find_headers,
    find_assigned,
    find_emails,
)
_DIGIT_DETECTORS: Final = (find_wallets, find_ibans, find_machine_addresses, find_numbers)
"""Not tried on text without a digit."""

PREVIEW_CHARS: Final = MAX_PREVIEW_CHARS
_READ_CHARS: Final = 4_000
"""How much of a text is read for a preview at the most; a text of this length may have been cut there."""
_SPARE_CHARS: Final = 100
"""What is read beyond a preview's length at first: redaction mostly shortens little."""
_DOUBTFUL_CHARS: Final = 200
"""The end of what was read may hold the beginning of a secret, too short to be known as one."""

_PLACEHOLDER = re.compile(r"\[[A-Z0-9_]{2,24}\]")
_LABELS: Final = frozenset(
    {
        "provider",
        "model",
        "response_model",
        "operation",
        "error_code",
        "finish_reason",
        "environment",
        "release",
    }
)
"""Fields that take few values, which are remembered once redacted."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")


class Redactor:
    """Replaces secrets and personal data by placeholders that name the kind, such as ``[EMAIL]``.

    Args:
        disabled_kinds: Kinds to leave alone.
        extra_rules: Rules of your own, applied first.

    Raises:
        ValueError: A disabled kind is not one of KINDS.
    """

    def __init__(self, disabled_kinds: Iterable[str] = (), extra_rules: Iterable[Rule] = ()) -> None:
        self._off = check_kinds(disabled_kinds)
        self._extra = tuple(extra_rules)
        self._label = lru_cache(maxsize=1024)(self.preview)

    @property
    def is_standard(self) -> bool:
        """Whether it has no rules but the built-in ones; some of those may be off."""
        return not self._extra

    @classmethod
    def from_settings(cls, disabled_kinds: str, patterns: str) -> Redactor:
        """Return the redactor of two settings: kinds separated by commas, and a JSON object of patterns.

        Raises:
            ValueError: One of them is wrong.
        """
        return cls(parse_kinds(disabled_kinds), make_rules(parse_patterns(patterns)))

    def redact(self, text: str) -> str:
        """Return the text with every secret replaced. Linear in its length."""
        if not text:
            return text
        ranges = [match for match in self._find(text) if match.kind not in self._off]
        return _replace(text, ranges) if ranges else text

    def _find(self, text: str) -> Iterator[TextRange]:
        """Yield secrets in order of rank: where two overlap, the first kind found names the placeholder."""
        scan = Scan(text)
        for rule in self._extra:
            if not rule.anchors or any(anchor in scan.lowered for anchor in rule.anchors):
                yield from (TextRange(*found.span(), rule.kind) for found in rule.pattern.finditer(scan.text))
        for detector in _TEXT_DETECTORS:
            yield from detector(scan)
        if any(digit in scan.text for digit in _DIGITS):
            for detector in _DIGIT_DETECTORS:
                yield from detector(scan)

    def preview(self, text: str, limit: int = PREVIEW_CHARS) -> str:
        """Redact, then cut to ``limit`` characters, never inside a placeholder."""
        read = limit + _DOUBTFUL_CHARS + _SPARE_CHARS
        while True:
            found = self.redact(clean(text[:read]))
            if len(text) <= read and len(text) < _READ_CHARS:
                return cut(found, limit)
            sure = max(0, len(found) - _DOUBTFUL_CHARS)
            if sure >= limit or read == _READ_CHARS:
                return cut(found, min(limit, sure))
            # Placeholders are shorter than what they replace: there is room for more.
            read = min(read * 3, _READ_CHARS)

    def redact_field(self, field: str, text: str) -> str:
        """Clean, redact and cut a text as that field of a Log."""
        return (self._label if field in _LABELS else self.preview)(text, MAX_TEXT_CHARS[field])

    def redact_log(self, log: Any) -> None:
        """Clean, redact and cut every text of a Log, in place. The choke point of the SDK and the worker."""
        for field in MAX_TEXT_CHARS:
            text = getattr(log, field)
            if text and not _UUID.fullmatch(text):
                setattr(log, field, self.redact_field(field, text))
        if log.tags:
            tags = [self.preview(tag, MAX_TAG_CHARS) for tag in log.tags[:MAX_TAGS]]
            log.tags[:] = [tag for tag in tags if tag]
        if log.metadata:
            pairs = sorted(log.metadata.items())[:MAX_METADATA_PAIRS]
            log.metadata.clear()
            for key, value in pairs:
                if kept := self.preview(key, MAX_METADATA_KEY_CHARS):
                    log.metadata[kept] = self.preview(value, MAX_METADATA_VALUE_CHARS)


def _replace(text: str, ranges: list[TextRange]) -> str:
    """Replace ranges of the text by placeholders; overlapping ones become one."""
    merged: list[TextRange] = []
    for match in sorted(ranges, key=lambda each: each.start):
        if merged and match.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = TextRange(last.start, max(last.end, match.end), last.kind)
        else:
            merged.append(match)
    pieces: list[str] = []
    done = 0
    for start, end, kind in merged:
        pieces += (text[done:start], f"[{kind}]")
        done = end
    return "".join((*pieces, text[done:]))


def cut(text: str, limit: int) -> str:
    """Cut to ``limit`` characters; a placeholder that would be split is left out whole."""
    if len(text) <= limit:
        return text
    start = max(0, limit - 26)
    for found in _PLACEHOLDER.finditer(text, start):
        if found.start() < limit < found.end():
            return text[: found.start()]
    return text[:limit]

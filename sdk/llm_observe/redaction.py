"""Redaction: every text passes through it before it leaves a process. Standard library only.

A detector first searches for a literal, which is cheap, so that clean text costs little. No pattern has
nested repetition, so that hostile text costs the same per byte as plain text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from llm_observe._redaction.detectors import ALL_BITS, BITS, DETECTORS, DIGIT_BITS
from llm_observe._redaction.normalise import Scan, TextRange
from llm_observe._redaction.prefixes import ALL, alternatives
from llm_observe._redaction.rules import (
    KINDS,
    NATIONAL_KINDS,
    Rule,
    check_kinds,
    make_rules,
    parse_kinds,
    parse_patterns,
)
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

__all__ = [
    "KINDS",
    "NATIONAL_KINDS",
    "PREVIEW_CHARS",
    "Redactor",
    "Rule",
    "TextRange",
    "clean",
    "cut",
    "find_credentials",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


PREVIEW_CHARS: Final = MAX_PREVIEW_CHARS
_READ_CHARS: Final = 4_000
"""Most characters of a text that are read for a preview. A text of this length may have been cut."""
_SPARE_CHARS: Final = 100
"""Characters read beyond a preview's length at first: redaction usually shortens a text little."""
_DOUBTFUL_CHARS: Final = 200
"""Characters at the end of the read text that may be the start of a secret, too short to be found."""

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
        "service_tier",
        "server_address",
        "source",
    }
)
"""Fields with few distinct values, whose redacted values are cached."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_UUID_CHARS: Final = 36
_ID_FIELDS: Final = frozenset({"provider_request_id", "provider_response_id"})
_KEY_STARTS: Final = alternatives(["0x", "bc1", "eyJ", *(each.text for each in ALL if each.text.isalnum())])
_VENDOR_ID: Final = re.compile(
    rf"(?:chatcmpl-|cmpl-|resp_|msg_|req_)(?!{_KEY_STARTS})(?![0-9A-Za-z]*[0-9]{{9}})[0-9A-Za-z]{{16,64}}"
)
"""Ids that vendors give requests and answers: no key begins there, and no number is as long as a person's."""


class Redactor:
    """Replaces secrets and personal data by placeholders that name their kind, such as ``[EMAIL]``.

    Args:
        disabled_kinds: Kinds not to redact.
        extra_rules: Your own rules, applied first.
        enabled_kinds: National ids to redact, of NATIONAL_KINDS.

    Raises:
        ValueError: A disabled kind is not one of KINDS, or an enabled one not one of NATIONAL_KINDS.
    """

    def __init__(
        self,
        disabled_kinds: Iterable[str] = (),
        extra_rules: Iterable[Rule] = (),
        enabled_kinds: Iterable[str] = (),
    ) -> None:
        national = check_kinds(enabled_kinds, NATIONAL_KINDS)
        self._off = check_kinds(disabled_kinds) | (NATIONAL_KINDS - national)
        self._extra = tuple(extra_rules)
        self.detectors = ALL_BITS if national else ALL_BITS & ~BITS["national_ids"]
        """The detectors that it uses, a bit each."""
        self._label = lru_cache(maxsize=1024)(self.preview)

    @property
    def is_standard(self) -> bool:
        """Whether it has only built-in rules, though some may be disabled."""
        return not self._extra

    @classmethod
    def from_settings(cls, disabled_kinds: str, patterns: str, enabled_kinds: str = "") -> Redactor:
        """Return the redactor for settings: kinds separated by commas, and a JSON object of patterns.

        Raises:
            ValueError: A setting is invalid.
        """
        return cls(
            parse_kinds(disabled_kinds), make_rules(parse_patterns(patterns)), parse_kinds(enabled_kinds)
        )

    def redact(self, text: str, detectors: int = ALL_BITS) -> str:
        """Return the text with every secret replaced. Linear in its length.

        Args:
            text: What may hold secrets.
            detectors: Those that could find something in it, a bit each, if that is known.
        """
        detectors &= self.detectors
        if not text or not (detectors or self._extra):
            return text
        scan = Scan(text)
        if detectors & DIGIT_BITS and not scan.has_digit:
            detectors &= ~DIGIT_BITS
        found = self._find(scan, detectors)
        ranges = [scan.in_original(match) for match in found if match.kind not in self._off]
        return _replace(text, ranges) if ranges else text

    def _find(self, scan: Scan, detectors: int) -> Iterator[TextRange]:
        for rule in self._extra:
            if not rule.anchors or any(anchor in scan.lowered for anchor in rule.anchors):
                matches = rule.pattern.finditer(scan.text)
                yield from (TextRange(*match.span(), rule.kind) for match in matches)
        for detector in DETECTORS:
            if detectors & detector.bit and detector.literal in scan.lowered:
                yield from detector.find(scan)

    def preview(self, text: str, limit: int = PREVIEW_CHARS, detectors: int = ALL_BITS) -> str:
        """Redact, then cut to ``limit`` characters, never inside a placeholder.

        Args:
            text: What may hold secrets.
            limit: Most characters of the result.
            detectors: See redact().
        """
        read = limit + _DOUBTFUL_CHARS + _SPARE_CHARS
        while True:
            redacted = self.redact(clean(text[:read]), detectors)
            if len(text) <= read and len(text) < _READ_CHARS:
                return cut(redacted, limit)
            certain_chars = max(0, len(redacted) - _DOUBTFUL_CHARS)
            if certain_chars >= limit or read == _READ_CHARS:
                return cut(redacted, min(limit, certain_chars))
            # Placeholders are shorter than the secrets: the preview has room for more.
            read = min(read * 3, _READ_CHARS)

    def redact_field(self, field: str, text: str, detectors: int = ALL_BITS) -> str:
        """Clean, redact and cut the text of a Log's field; for ``detectors`` see redact()."""
        if field in _LABELS:
            return self._label(text, MAX_TEXT_CHARS[field])
        return self.preview(text, MAX_TEXT_CHARS[field], detectors)

    def redact_log(  # a Log: this module imports the standard library only
        self, log: Any, screen: Callable[[str], int] = lambda _: ALL_BITS
    ) -> None:
        """Clean, redact and cut every text of a Log, in place. The SDK, the server and the worker use it.

        Args:
            log: A Log.
            screen: Says which detectors could find something in a text, a bit each, faster than they do.
        """
        for field, limit in MAX_TEXT_CHARS.items():
            text = getattr(log, field)
            if text and not (len(text) <= limit and _is_id(field, text)):
                is_label = field in _LABELS  # cached: a look-up is faster than to screen it
                redacted = self._label(text, limit) if is_label else self.preview(text, limit, screen(text))
                if redacted != text:
                    setattr(log, field, redacted)
        if log.tags:
            tags = [self.preview(tag, MAX_TAG_CHARS, screen(tag)) for tag in log.tags[:MAX_TAGS]]
            log.tags[:] = [tag for tag in tags if tag]
        if log.metadata:
            pairs = sorted(log.metadata.items())[:MAX_METADATA_PAIRS]
            log.metadata.clear()
            for key, value in pairs:
                if kept := self.preview(key, MAX_METADATA_KEY_CHARS, screen(key)):
                    log.metadata[kept] = self.preview(value, MAX_METADATA_VALUE_CHARS, screen(value))


def _is_id(field: str, text: str) -> bool:
    """Return whether a text is an id, in which there is nothing to redact: a search would cost 30 µs."""
    if field in _ID_FIELDS and _VENDOR_ID.fullmatch(text):
        return True
    return len(text) == _UUID_CHARS and _UUID.fullmatch(text) is not None


def find_credentials(text: str) -> Iterator[TextRange]:
    """Yield the keys, tokens, private keys, webhooks and passwords in URLs that a text holds.

    What only its name gives away, such as ``password=…``, is not looked for.
    """
    scan = Scan(text)
    for detector in DETECTORS:
        if detector.is_credential:
            yield from map(scan.in_original, detector.find(scan))


def _replace(text: str, ranges: list[TextRange]) -> str:
    """Replace ranges of the text by placeholders; overlapping ones become one."""
    merged: list[TextRange] = []
    for match in sorted(ranges, key=lambda each: each.start):
        if merged and match.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = TextRange(last.start, max(last.end, match.end), last.kind)
        else:
            merged.append(match)
    parts: list[str] = []
    done = 0
    for start, end, kind in merged:
        parts += (text[done:start], f"[{kind}]")
        done = end
    return "".join((*parts, text[done:]))


def cut(text: str, limit: int) -> str:
    """Cut a text to ``limit`` characters; a placeholder that would be split is omitted."""
    if len(text) <= limit:
        return text
    start = max(0, limit - 26)
    for placeholder in _PLACEHOLDER.finditer(text, start):
        if placeholder.start() < limit < placeholder.end():
            return text[: placeholder.start()]
    return text[:limit]

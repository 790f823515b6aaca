"""Redaction: the one choke point that every text passes before it leaves a process. Standard library only.

Detectors are anchored on a literal that is cheap to look for, so that clean text costs little, and every
pattern is free of nested repetition, so that hostile text costs the same per byte as plain text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PREVIEW_CHARS: Final = 500
"""Longest preview, error message and metadata value, in characters, after redaction."""
_READ_CHARS: Final = 4_000
"""How much of a text is read for a preview; a secret cut here lies far behind the preview's end."""

_PLACEHOLDER = re.compile(r"\[[A-Z0-9_]{2,24}\]")
_TEXT_LIMITS: Final = {
    "input_preview": PREVIEW_CHARS,
    "output_preview": PREVIEW_CHARS,
    "error_message": PREVIEW_CHARS,
    "session_id": 200,
    "conversation_id": 200,
    "user_id": 200,
    "provider": 64,
    "model": 200,
    "response_model": 200,
    "operation": 64,
    "error_code": 100,
    "finish_reason": 100,
    "provider_request_id": 200,
    "environment": 64,
    "release": 100,
}
"""Every free-text field of a Log, with its limit in characters."""
_METADATA_PAIRS: Final = 50


class Rule(NamedTuple):
    """One kind of secret."""

    kind: str
    anchors: tuple[str, ...]
    """Lower-case literals, one of which must be there before the pattern is tried; empty means always."""
    pattern: re.Pattern[str]
    valid: Callable[[re.Match[str]], bool] | None = None
    replacement: str = ""
    """Template for what stays around the placeholder; empty replaces the whole match."""


def _luhn(match: re.Match[str]) -> bool:
    digits = [int(char) for char in match.group() if char.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:  # noqa: PLR2004 - lengths of ISO/IEC 7812 numbers
        return False
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004 - Luhn
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _mod97(match: re.Match[str]) -> bool:
    compact = match.group().replace(" ", "").upper()
    rearranged = compact[4:] + compact[:4]
    return int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1


def _ssn(match: re.Match[str]) -> bool:
    area, group, serial = match.group(1), match.group(2), match.group(3)
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


_B = r"(?<![A-Za-z0-9_])"
_E = r"(?![A-Za-z0-9_])"
_KEY_SHAPES = (
    r"sk-(?:proj-|ant-|or-|svcacct-)?[A-Za-z0-9_-]{16,250}|AIza[A-Za-z0-9_-]{30,50}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{40,255}|glpat-[A-Za-z0-9_-]{18,64}"
    r"|xox[abposr]-[A-Za-z0-9-]{10,250}|[rsp]k_(?:live|test)_[A-Za-z0-9]{16,250}"
    r"|hf_[A-Za-z0-9]{30,64}|gsk_[A-Za-z0-9]{40,64}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,250}"
    r"|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}"
)
_KEY_ANCHORS = (
    "sk-", "aiza", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox",
    "k_live_", "k_test_", "hf_", "gsk_", "npm_", "pypi-", "sg.",
)  # fmt: skip
_RULES: Final = (
    Rule(
        "PRIVATE_KEY",
        ("-----begin",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
            r"(?:(?!-----).){0,8000}(?:-----END [A-Z0-9 ]{0,40}-----)?",
            re.DOTALL,
        ),
    ),
    Rule(
        "JWT",
        ("eyj",),
        re.compile(_B + r"eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{4,4000}(?:\.[A-Za-z0-9_-]{0,4000})?"),
    ),
    Rule("API_KEY", _KEY_ANCHORS, re.compile(_B + "(?:" + _KEY_SHAPES + ")")),
    Rule(
        "URL_PASSWORD",
        ("://",),
        re.compile(r"(://[^\s:/@\[\]]{0,200}:)[^\s/@]{1,200}(?=@)"),
        replacement=r"\1",
    ),
    Rule(
        "AUTH",
        ("bearer", "basic"),
        re.compile(r"(?i)(\b(?:bearer|basic)\s{1,4})[A-Za-z0-9._~+/=-]{12,4000}"),
        replacement=r"\1",
    ),
    Rule(
        "SECRET",
        ("passw", "secret", "token", "api_key", "apikey", "api-key", "pwd"),
        re.compile(
            r"(?i)((?:passw(?:or)?d|passwd|pwd|secret|api[_-]?key|(?:access|auth|refresh)[_-]?token)"
            r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?)(?!\[[A-Z_]{2,24}\])[^\s\"',;]{4,200}"
        ),
        replacement=r"\1",
    ),
    Rule(
        "EMAIL",
        ("@",),
        re.compile(r"[\w.+-]{1,64}@(?:[^\W_](?:[\w-]{0,62})\.){1,8}[^\W\d_]{2,24}"),
    ),
    Rule("CREDIT_CARD", (), re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d])"), _luhn),
    Rule(
        "IBAN",
        (),
        re.compile(_B + r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?" + _E),
        _mod97,
    ),
    Rule("SSN", ("-",), re.compile(r"(?<![\w-])(\d{3})-(\d{2})-(\d{4})(?![\w-])"), _ssn),
    Rule(
        "PHONE",
        (),
        re.compile(
            r"(?<![\w.])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"
            r"|(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4})(?![\w-])"
        ),
    ),
    Rule(
        "IP_ADDRESS",
        (".",),
        re.compile(
            r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w]|\.\d)"
        ),
    ),
)
_DIGIT: Final = re.compile(r"\d")
_NEEDS_DIGITS: Final = frozenset({"CREDIT_CARD", "IBAN", "SSN", "PHONE", "IP_ADDRESS"})


class Redactor:
    """Replaces secrets and personal data by placeholders that name the kind, such as ``[EMAIL]``.

    Args:
        disabled_kinds: Kinds to leave alone.
        extra_rules: Rules of your own, applied first.
    """

    def __init__(self, disabled_kinds: Iterable[str] = (), extra_rules: Iterable[Rule] = ()) -> None:
        off = frozenset(disabled_kinds)
        self._rules = (*extra_rules, *(rule for rule in _RULES if rule.kind not in off))

    def redact(self, text: str) -> str:
        """Return the text with every secret replaced. Linear in its length."""
        if not text:
            return text
        lowered = text.lower()
        has_digits = _DIGIT.search(text) is not None
        for rule in self._rules:
            if rule.anchors and not any(anchor in lowered for anchor in rule.anchors):
                continue
            if not has_digits and rule.kind in _NEEDS_DIGITS:
                continue
            text = self._apply(rule, text)
        return text

    @staticmethod
    def _apply(rule: Rule, text: str) -> str:
        placeholder = f"[{rule.kind}]"

        def replace(match: re.Match[str]) -> str:
            if rule.valid is not None and not rule.valid(match):
                return match.group()
            return match.expand(rule.replacement) + placeholder

        return rule.pattern.sub(replace, text)

    def preview(self, text: str, limit: int = PREVIEW_CHARS) -> str:
        """Redact, then cut to ``limit`` characters, never inside a placeholder."""
        return cut(self.redact(clean(text[:_READ_CHARS])), limit)

    def redact_log(self, log: Any) -> None:
        """Clean, redact and cut every text of a Log, in place. The choke point of the SDK and the worker."""
        for field, limit in _TEXT_LIMITS.items():
            text = getattr(log, field)
            if text:
                setattr(log, field, self.preview(text, limit))
        if log.tags:
            tags = [self.preview(tag, 64) for tag in log.tags[:20]]
            log.tags[:] = [tag for tag in tags if tag]
        if log.metadata:
            pairs = sorted(log.metadata.items())[:_METADATA_PAIRS]
            log.metadata.clear()
            for key, value in pairs:
                if kept := self.preview(key, 64):
                    log.metadata[kept] = self.preview(value)


def clean(text: str) -> str:
    """Replace NUL and lone surrogates, which neither protobuf nor Postgres can hold."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cut(text: str, limit: int) -> str:
    """Cut to ``limit`` characters; a placeholder that would be split is left out whole."""
    if len(text) <= limit:
        return text
    start = max(0, limit - 26)
    for found in _PLACEHOLDER.finditer(text, start):
        if found.start() < limit < found.end():
            return text[: found.start()]
    return text[:limit]

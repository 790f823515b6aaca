"""Credentials recognised by their prefix, their shape, or the header they are in."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.normalise import TextRange
from llm_observe._redaction.prefixes import BY_HEAD, EXACT, ONLY_EXACT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._redaction.normalise import Scan


_SURE_CHARS: Final = 20
_HEAD: Final = re.compile(r"(?<![A-Za-z0-9])(?=(..))")
_BODY: Final = re.compile(r"[A-Za-z0-9_.~+/=%$:-]{1,4000}")
_JWT: Final = re.compile(r"[A-Za-z0-9_-]{10,8000}(?:\.[A-Za-z0-9_=-]{0,8000}){0,4}")
_PEM_END: Final = re.compile(r"-----END[A-Z0-9 ]{0,40}-----")
_PEM_HEAD: Final = re.compile(r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_MAX_PEM_CHARS: Final = 16_000
_HEADER: Final = re.compile(
    r"(?i:\b(bearer|basic|token))[\"']?(?: {1,3}|: {0,3}|%20)[\"']?([A-Za-z0-9._~+/=$%:-]{8,4000})"
)
_URL_LOGIN: Final = re.compile(r"([^\s:/@\"'<>]{0,200}):([^\s\"'<>/]{1,200})@")
WEBHOOKS: Final = (
    ("hooks.slack.com/", re.compile(r"(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{4,200}")),
    ("discord.com/api/webhooks/", re.compile(r"\d{5,30}/[A-Za-z0-9_-]{16,120}")),
    ("discordapp.com/api/webhooks/", re.compile(r"\d{5,30}/[A-Za-z0-9_-]{16,120}")),
    ("webhook.office.com/", re.compile(r"webhookb2/[A-Za-z0-9@/_-]{20,300}")),
    ("api.telegram.org/bot", re.compile(r"\d{5,20}:[A-Za-z0-9_-]{20,80}")),
)
_TELEGRAM: Final = re.compile(r"(?<![A-Za-z0-9])\d{8,10}:A[A-Za-z0-9_-]{34}(?![A-Za-z0-9_-])")


def find_prefixed(scan: Scan) -> Iterator[TextRange]:
    """Yield keys that begin with a vendor's prefix."""
    joined, text = scan.joined, scan.text
    heads = set(_HEAD.findall(joined)) if joined else set()
    for prefix, kind, min_chars in (entry for head in heads for entry in BY_HEAD.get(head, ())):
        if prefix not in joined:
            continue
        at = text.find(prefix)
        while at >= 0:
            end, is_key = _end_of_key(text, at, prefix, min_chars)
            if is_key:
                yield TextRange(at, end, kind)
            at = text.find(prefix, end)


def _end_of_key(text: str, at: int, prefix: str, min_chars: int) -> tuple[int, bool]:
    """Return the end of the run after a prefix, and whether it is a key."""
    after = at + len(prefix)
    if at and text[at - 1].isalnum() and text[at - 1].isascii():
        return after, False
    match = _BODY.match(text, after)
    if match is None:
        return after, False
    body = match.group().rstrip(".:$/")
    return after + len(body), _is_body(prefix, body, min_chars, elided=match.group().endswith(".."))


def _is_body(prefix: str, body: str, min_chars: int, *, elided: bool) -> bool:
    exact = EXACT.get(prefix)
    if exact is not None and exact.fullmatch(body):
        return True
    if prefix in ONLY_EXACT or len(body) < min_chars or elided:
        return False
    if prefix.startswith("xox") and ("/" in body or "." in body.replace(".xox", "")):
        return False
    # Other short prefixes may be parts of words.
    sure = len(prefix) > 3 or prefix in {"sk-", "hf_"}  # noqa: PLR2004 - longer ones are specific to a vendor
    return looks_random(body[:200], sure=sure) or (sure and len(body) >= _SURE_CHARS and body.isalnum())


def looks_random(text: str, *, sure: bool = False) -> bool:
    """Return whether a text may be a secret: it mixes digits and letters and repeats not just a few."""
    digits = sum(map(text.count, "0123456789"))
    if len(set(text)) < 4:  # noqa: PLR2004 - xxxxxxxx, 12341234
        return False
    if digits:
        return digits < len(text)
    mixed = text != text.lower() and text != text.upper()
    return mixed and (sure or _changes_case(text))


def _changes_case(text: str) -> bool:
    """Return whether case changes more often than in CamelCase words."""
    changes = sum(1 for a, b in pairwise(text) if a.islower() and b.isupper())
    return changes * 4 >= len(text)


def find_jwts(scan: Scan) -> Iterator[TextRange]:
    """Yield JSON web tokens and other JSON objects in base64."""
    text = scan.text
    at = text.find("eyJ")
    while at >= 0:
        match = _JWT.match(text, at) if not (at and text[at - 1].isalnum()) else None
        if match is not None and looks_random(match.group()[:200]) and not match.group().endswith(".."):
            yield TextRange(at, match.end(), "JWT")
        at = text.find("eyJ", match.end() if match is not None else at + 3)


def find_private_keys(scan: Scan) -> Iterator[TextRange]:
    """Yield private key blocks, including those cut before their end."""
    text = scan.text
    at = text.find("-----BEGIN")
    while at >= 0:
        end = at + 10
        if _PEM_HEAD.match(text, at):
            close = _PEM_END.search(text, at, at + _MAX_PEM_CHARS)
            end = close.end() if close is not None else min(len(text), at + _MAX_PEM_CHARS)
            yield TextRange(at, end, "PRIVATE_KEY")
        at = text.find("-----BEGIN", end)


def find_headers(scan: Scan) -> Iterator[TextRange]:
    """Yield credentials after Bearer, Basic and Token in a header."""
    text, lowered = scan.text, scan.lowered
    if "bearer" not in lowered and "basic" not in lowered and "token " not in lowered:
        return
    for match in _HEADER.finditer(text):
        scheme, value = match.group(1).lower(), match.group(2).rstrip(".:")
        strict = scheme == "token" or len(value) < _SURE_CHARS
        if value.startswith("$") or "://" in value:
            continue
        if looks_random(value, sure=scheme != "token") or (not strict and value.isalnum()):
            yield TextRange(match.start(2), match.start(2) + len(value), "AUTH")


def find_url_secrets(scan: Scan) -> Iterator[TextRange]:
    """Yield passwords in URLs, and webhook addresses, which are secret as a whole."""
    text, lowered = scan.text, scan.lowered
    at = text.find("://")
    while at >= 0:
        match = _URL_LOGIN.match(text, at + 3)
        if match is not None and not match.group(2).startswith(("$", "{", "%s", "<")):
            yield TextRange(match.start(2), match.end(2), "URL_PASSWORD")
        at = text.find("://", at + 3)
    for host, path in WEBHOOKS if "hook" in lowered or "telegram" in lowered else ():
        at = lowered.find(host)
        while at >= 0:
            match = path.match(text, at + len(host))
            if match is not None:
                scheme = at - len("https://")
                begin = scheme if scheme >= 0 and lowered.startswith("https://", scheme) else at
                yield TextRange(begin, match.end(), "WEBHOOK")
            at = lowered.find(host, at + len(host))
    if ":A" in text:
        for match in _TELEGRAM.finditer(text):
            yield TextRange(match.start(), match.end(), "API_KEY")

"""Values assigned to names of secrets: ``password = …``, ``"apiKey": "…"``, ``x-api-key: …``, ``--token …``.

Searches for the sign between name and value, which is rare in prose, and then reads the name backwards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.credentials import looks_random
from llm_observe._redaction.names import NOT_NAMES, STEMS, STRONG
from llm_observe._redaction.normalise import TextRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._redaction.normalise import Scan

_NAME_CHARS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
_MAX_NAME_CHARS: Final = 64
_SIGN: Final = re.compile(r"[:=]")
_VALUE: Final = re.compile(r"[>=:]?[ \t]{0,4}(?:[rbfu]?([\"'`]{1,3}))?([^\s\"'`,;<>(){}\[\]\\&]{4,512})")
_YAML_NAME: Final = re.compile(r"name: {0,3}[\"']?([\w.-]{1,64})[\"']?\s{1,12}(?:value)$")
STATED_BEFORE: Final = (
    "password",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "api key",
    "api-key",
    "apikey",
)
_STATED: Final = re.compile(r"(?: (?:is|was|to|as)|:)? [\"'`]?([^\s\"'`,;<>(){}\[\]|\\]{6,512})")
_OPTION: Final = re.compile(r"--([a-z-]{1,40}) [\"'`]?([^\s\"'`,;<>(){}\[\]|\\]{6,512})")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_WORDS: Final = re.compile(r"[A-Za-z]+(?:[._/-]+[A-Za-z]+)*[0-9]{0,2}")
_CODE: Final = (
    "os.", "process.", "env.", "self.", "this.", "config.", "settings.", "getenv", "$", "%", "http", "file:",
    "fn::", "./", "../", "/",
)  # fmt: skip
_BARE_KEY: Final = "key alone"
_JOINTS: Final = re.compile(r"[-_./=:]+")
_WORDY: Final = re.compile(r"[A-Za-z]{0,24}[0-9]{0,12}[A-Za-z]{0,8}")
_HOST: Final = re.compile(r"(?:[\w-]+\.)+[A-Za-z]{2,12}(?::\d+)?")
_ORDERED: Final = ("abcdefgh", "0123456789")
_MAX_CHECKS_PER_RUN: Final = 6
_MIN_TOKEN_CHARS: Final = 10


def find_assigned(scan: Scan) -> Iterator[TextRange]:
    """Yield values that are assigned to the name of a secret and look like one."""
    text, lowered = scan.text, scan.lowered
    if not any(stem in lowered for stem in STEMS):
        return
    run_end = checks = 0
    for sign in _SIGN.finditer(text):
        at = sign.start()
        checks = checks + 1 if at < run_end else 0
        if checks > _MAX_CHECKS_PER_RUN:
            continue
        stem = _stem_before(text, at)
        value = _VALUE.match(text, sign.end()) if stem else None
        if value is None:
            continue
        run_end = value.end()
        if stem != _BARE_KEY or not (_UUID.fullmatch(value.group(2)) or _is_made_of_words(value.group(2))):
            yield from _check_value(stem, value, text)
    yield from _find_stated(text, lowered)
    yield from _find_options(text)


def _stem_before(text: str, at: int) -> str:
    """Return the stem in the name before a sign, or an empty text."""
    before = text[max(0, at - _MAX_NAME_CHARS) : at].rstrip(" \t\"'`]:")
    name = before[len(before.rstrip(_NAME_CHARS)) :]
    if name.lower() == "value":
        yaml = _YAML_NAME.search(before)
        name = yaml.group(1) if yaml else name
    if NOT_NAMES.fullmatch(name):
        return ""
    lowered = name.lower()
    if lowered == "key":
        return _BARE_KEY
    return next((stem for stem in (*STRONG, *STEMS) if stem in lowered), "")


def _check_value(stem: str, value: re.Match[str], text: str) -> Iterator[TextRange]:
    quoted = bool(value.group(1))
    secret = value.group(2) if quoted else value.group(2).rstrip(".:!?")
    end = value.start(2) + len(secret)
    if secret.startswith(_CODE) or (not quoted and text[end : end + 1] in {"(", "["}):
        return
    if _is_password(secret, quoted=quoted) if stem in STRONG else _is_token(secret):
        yield TextRange(value.start(2), end, "SECRET")


def _find_stated(text: str, lowered: str) -> Iterator[TextRange]:
    """Yield secrets that a sentence states, such as my password is ..."""
    for word in STATED_BEFORE:
        at = lowered.find(word)
        while at >= 0:
            match = _STATED.match(text, at + len(word))
            if match is not None:
                yield from _if_secret(match.group(1), match.start(1), 8 if word == "token" else 6)
            at = lowered.find(word, at + len(word))


def _find_options(text: str) -> Iterator[TextRange]:
    """Yield secrets among a command's options, such as --token ..."""
    at = text.find("--")
    while at >= 0:
        match = _OPTION.match(text, at)
        if match is not None and any(stem in match.group(1) for stem in STEMS):
            yield from _if_secret(match.group(2), match.start(2), 6)
        at = text.find("--", at + 2)


def _if_secret(value: str, start: int, min_chars: int) -> Iterator[TextRange]:
    value = value.rstrip(".:!?")
    if len(value) < min_chars or value.startswith(_CODE) or "=" in value[:-2]:
        return
    mixed = any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
    if mixed and not (_WORDS.fullmatch(value) or _is_made_of_words(value) or _UUID.fullmatch(value)):
        yield TextRange(start, start + len(value), "SECRET")


def _is_password(value: str, *, quoted: bool) -> bool:
    """Return whether a value looks like a password, which may be a word with a digit or a sign."""
    digits = any(char.isdigit() for char in value)
    letters = any(char.isalpha() for char in value)
    signs = any(not char.isalnum() and char not in "._-/" for char in value)
    if value.isdigit():
        return quoted and len(value) >= 6  # noqa: PLR2004 - a PIN
    if _WORDS.fullmatch(value) and not (quoted and digits):
        return len(value) >= 8 and looks_random(value) and not _is_made_of_words(value)  # noqa: PLR2004 - a password
    return letters and (digits or signs)


def _is_token(value: str) -> bool:
    if len(value) < _MIN_TOKEN_CHARS or value.replace(".", "").replace("-", "").isdigit():
        return False
    if _WORDS.fullmatch(value) or _is_made_of_words(value) or _HOST.fullmatch(value):
        return False
    return looks_random(value) and not any(order in value.lower() for order in _ORDERED)


def _is_made_of_words(value: str) -> bool:
    """Return whether a value is words, numbers and versions joined by signs, like the name of a thing."""
    parts = [part for part in _JOINTS.split(value) if part]
    return len(parts) > 1 and all(_WORDY.fullmatch(part) for part in parts)

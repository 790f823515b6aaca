"""Names of secrets, such as ``password``, ``x-api-key`` and ``accessToken``."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

STEMS: Final = (
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "auth",
    "signature",
    "sig",
    "ptt",
    "pat",
)
STRONG: Final = ("password", "passwd", "passphrase", "passcode", "pwd", "secret", "_pass", "pass")
NOT_NAMES: Final = re.compile(
    r"(?i:(?:max|min|num|total|prompt|completion|input|output|cached|reasoning)_?tokens?|tokens|keys|token_?(?:type"
    r"|count|url|izer)|key_?(?:size|name|type|code|words?|board|frame|space|length)|auth(?:or|ors|ority|_?url|_?type)"
    r"|pass(?:ed|es|ing|enger|ive)|hotkey|keyword|secret_?name"
    r"|[\w.-]*(?:[._]ur[li]|[_.]name|path|file|[_.]type|length|audience|_ids?|source|results|chars|size|schema_?key))"
    r"|[\w.-]*(?:[a-z]Ids?|URL)"
)

_STRONG_PARTS: Final = ("password", "passwd", "passphrase", "passcode", "pwd", "secret")
_STORED_ENDINGS: Final = ("id", "ids", "source", "results")
"""Endings of NOT_NAMES that do not excuse a strong part: the value of ``secret_id`` is a secret."""
_MAX_NAME_CHARS: Final = 256
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_PARTS: Final = (
    *_STRONG_PARTS, "token", "credential", "signature", "passwort", "kennwort", "mnemonic", "seedphrase",
)  # fmt: skip
"""Parts that make any name that of a secret."""
_SECRET_WORDS: Final = frozenset({
    *STEMS, "keys", "authorization", "authentication", "bearer", "cookie", "cookies", "creds", "csrf", "cvv",
    "dsn", "jwt", "otp", "pin", "pw",
})  # fmt: skip
"""Words that make a name that of a secret, if whole: ``pat`` is a secret, ``patient`` is not."""
_SECRET_ENDINGS: Final = ("key", "keys", "pass", "auth")


def is_secret_name(name: str) -> bool:
    """Return whether a value with this name is a secret, whatever it looks like.

    A name of more than 256 characters is not read, and counts as one of a secret.
    """
    return len(name) > _MAX_NAME_CHARS or _is_secret_name(name)


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, with letters of full width or with accents made plain."""
    return [word.lower() for word in _WORD.findall(_to_plain_letters(name))]


def _to_plain_letters(name: str) -> str:
    if name.isascii():
        return name
    characters = unicodedata.normalize("NFKD", name)
    return "".join(each for each in characters if unicodedata.category(each) not in {"Mn", "Cf"})


@lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    words = words_of(name)
    joined = "".join(words)
    if NOT_NAMES.fullmatch(_to_plain_letters(name)):
        return joined.endswith(_STORED_ENDINGS) and any(part in joined for part in _STRONG_PARTS)
    return (
        any(part in joined for part in _SECRET_PARTS)
        or not _SECRET_WORDS.isdisjoint(words)
        or any(word.endswith(_SECRET_ENDINGS) for word in words)
    )

"""Names of secrets, such as ``password``, ``x-api-key`` and ``accessToken``."""

from __future__ import annotations

import re
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

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_PARTS: Final = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "credential", "signature",
)  # fmt: skip
"""Parts that make any name that of a secret."""
_SECRET_WORDS: Final = frozenset({
    *STEMS, "keys", "authorization", "authentication", "bearer", "cookie", "cookies", "creds", "csrf", "cvv",
    "dsn", "jwt", "otp", "pin", "pw",
})  # fmt: skip
"""Words that make a name that of a secret, if whole: ``pat`` is a secret, ``patient`` is not."""
_SECRET_ENDINGS: Final = ("key", "keys", "pass", "auth")


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Return whether a value with this name is a secret, whatever it looks like."""
    if NOT_NAMES.fullmatch(name):
        return False
    words = [word.lower() for word in _WORD.findall(name)]
    joined = "".join(words)
    return (
        any(part in joined for part in _SECRET_PARTS)
        or not _SECRET_WORDS.isdisjoint(words)
        or any(word.endswith(_SECRET_ENDINGS) for word in words)
    )

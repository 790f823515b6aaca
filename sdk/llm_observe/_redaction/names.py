"""Names of secrets, such as ``password``, ``x-api-key`` and ``accessToken``."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

PASSWORD_WORDS: Final = (
    "password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "contrase\u00f1a",
    "contrasena", "mot de passe", "motdepasse", "senha", "wachtwoord", "\u043f\u0430\u0440\u043e\u043b",
    "\u5bc6\u7801", "\u5bc6\u78bc", "\u53e3\u4ee4", "\u30d1\u30b9\u30ef\u30fc\u30c9",
    "\ube44\ubc00\ubc88\ud638", "\uc554\ud638", "has\u0142o", "haslo", "l\u00f6senord", "losenord",
    "\u015fifre", "sifre", "parola", "parole", "adgangskode", "passord", "salasana", "jelsz\u00f3",
    "jelszo", "heslo", "lozinka", "geslo", "kata sandi", "m\u1eadt kh\u1ea9u",
    "\u0e23\u0e2b\u0e31\u0e2a\u0e1c\u0e48\u0e32\u0e19",
    "\u0643\u0644\u0645\u0629 \u0627\u0644\u0645\u0631\u0648\u0631",
    "\u0643\u0644\u0645\u0629 \u0627\u0644\u0633\u0631", "\u05e1\u05d9\u05e1\u05de\u05d4",
    "\u05e1\u05d9\u05e1\u05de\u05ea", "\u092a\u093e\u0938\u0935\u0930\u094d\u0921",
    "\u03ba\u03c9\u03b4\u03b9\u03ba\u03cc\u03c2",
)  # fmt: skip
"""Words for password, whose value may be any word, in two dozen languages."""
KEY_WORDS: Final = (
    "cl\u00e9 api", "cl\u00e9 d'api", "cl\u00e9 secr", "clave de api", "clave api", "chave de api",
    "chave api", "chave da api", "chiave api", "schl\u00fcssel", "schluessel",
    "\u043a\u043b\u044e\u0447 api", "api \u043a\u043b\u044e\u0447", "api-\u043a\u043b\u044e\u0447",
    "\u0442\u043e\u043a\u0435\u043d", "\u5bc6\u94a5", "\u5bc6\u9470", "\u4ee4\u724c", "api\u30ad\u30fc",
    "api \u30ad\u30fc", "\u30c8\u30fc\u30af\u30f3", "api \ud0a4", "api\ud0a4", "\ud1a0\ud070",
    "klucz api", "api-sleutel", "api-nyckel", "api anahtar", "jeton", "geheimnis", "segredo", "secreto",
    "\u0441\u0435\u043a\u0440\u0435\u0442",
)  # fmt: skip
"""Words for keys and tokens, whose value looks random, in other languages."""
SHORT_STEMS: Final = (
    "pass", "pwd", "pw", "psw", "mdp", "secret", "token", "key", "cred", "auth", "sig", "ptt", "pat",
    "pin", "otp", "sess", "sid",
)  # fmt: skip
STEMS: Final = (*SHORT_STEMS, *PASSWORD_WORDS, *KEY_WORDS)
"""Parts, in lower case, one of which is in each name of a secret."""
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
    *SHORT_STEMS, "credential", "signature", "keys", "authorization", "authentication", "bearer",
    "cookie", "cookies", "creds", "csrf", "cvv", "dsn", "jwt", "otp", "pin", "pw",
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

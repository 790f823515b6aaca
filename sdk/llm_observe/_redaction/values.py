"""Tells whether a value beside the name of a secret is the secret, or a placeholder, code, or prose."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from llm_observe._redaction.credentials import looks_random
from llm_observe._redaction.name_kinds import NameKind

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_WORDS: Final = re.compile(r"[A-Za-z]+(?:[._/-]+[A-Za-z]+)*[0-9]{0,2}")
_CODE: Final = (
    "os.", "process.", "env.", "self.", "this.", "config.", "settings.", "getenv", "$", "%", "http://",
    "https://", "file:", "fn::", "./", "../", "~/", "<", "{{", "vault:", "ref+", "ssm:", "arn:", "!ref",
    "!sub", "secretsmanager:", "@", "&",
)  # fmt: skip
_PATH: Final = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][\w.@-]{1,64}){2,}[/\\]?|/[a-z]{3,}")
_CALL: Final = re.compile(
    r"[A-Za-z_$][\w.$:]*(?:\(|\[[^\]]*\])|[A-Za-z_]+(?:\.[A-Za-z_]+)+$|[A-Za-z]+(?:_[A-Za-z]+)+$"
)
_BRACES: Final = re.compile(r"\{[\w. ]*\}|\[[A-Za-z_ ]*\](?:\.\.\.)?|\(\w*\)?|%\(?\w+\)?s?%?")
_YOURS: Final = re.compile(
    r"(?i)(?:your|my|the|some|insert|enter|put|replace"
    r"|example|sample|dummy|fake|placeholder|todo|change_?this)[-_ ].*|.*[-_ ]here|x+(?:-x+)*"
)
_JOINTS: Final = re.compile(r"[-_./=:]+")
_WORDY: Final = re.compile(r"(?:[A-Z]?[a-z]{0,24}|[A-Z]{0,24})[0-9]{0,12}(?:[a-z]{0,8}|[A-Z]{0,8})")
_HOST: Final = re.compile(r"(?:[\w-]+\.)+[A-Za-z]{2,12}(?::\d+)?")
_ORDERED: Final = ("abcdefgh", "0123456789")
_MIN_TOKEN_CHARS: Final = 10
_MIN_PASSWORD_CHARS: Final = 3
_MIN_WORD_CHARS: Final = 5
_MIN_STATED_TOKEN_CHARS: Final = 8
_FIRST_CJK: Final = "\u2e80"
_MIN_STATED_CHARS: Final = 6
_PROSE_WORDS: Final = """
    a about above accepted access after again all also always an and any api app are argument as ask
    at auth authentication authorization back based basic be bearer because been before being below
    between body boolean both but by bytes call can change changed changes char characters check
    choose class code common compromised config confirm confirmation contain contains copy correct
    could create created credentials data database default defined details did digit digits do does
    done don't each either email empty encoded encrypted encryption enter env environment error
    every example expired expires expiry fail failed failure false field file filled first flow for
    forgot forgotten form format found from function generate generated get give given go had has
    hash hashed have header hello help here hidden hint how i id if import in incorrect information
    input int integer invalid is it its join just keep key keys last leave leaked length letter
    letters like line link list login long lost lower lowercase made make manager masked match
    maximum may mean me method minimum missing model more most must name need needed needs never new
    next nil no none not note now null number object of off old on once one only optional or other
    our out over page param parameter pass passed passwd passphrase password passwords path per
    phrase plain please policy prompt property protected provide provided public put pwd random read
    received redacted register repeat required reset reuse revoked rotate rotated rotation same save
    saved secret secrets secure security see select self send sent service set setting settings
    shall share should show sign simple since size so some something store stored str strength
    string strong such supplied support sure take team test text than that the their them then there
    these they this through to today token tokens too true try two type typed undefined unique
    unknown until up updated upper uppercase us use used user username users using valid validation
    value values varchar variable verified verify via void want was way we weak were what when where
    whether which while who why will with within without word words work would write wrong yes yet
    you your yours n/a tbd todo unset field? reset? dict bool float any literal bytes optional[str]
    secretstr passwort kennwort vergessen erforderlich falsch ung\xfcltig muss ist und oder der die
    das ein eine mit f\xfcr nicht sie ihr contrase\xf1a obligatoria requerida incorrecta olvid\xf3
    debe una por los las con para del que mot passe oubli\xe9 requis incorrect doit votre une les
    des pour avec est senha obrigat\xf3ria inv\xe1lida esqueceu deve sua um uma dos com wachtwoord
    vergeten verplicht onjuist moet het een niet van \u043f\u0430\u0440\u043e\u043b\u044c
    \u043e\u0431\u044f\u0437\u0430\u0442\u0435\u043b\u0435\u043d
    \u043d\u0435\u0432\u0435\u0440\u043d\u044b\u0439 has\u0142o l\xf6senord \u015fifre parola
    adgangskode salasana jelsz\xf3 heslo obbligatoria dimenticata errata
"""
_PROSE: Final = frozenset(_PROSE_WORDS.split())
"""Words that stand beside the name of a secret in prose, forms and code, in lower case; not passwords."""
_PROSE_ENDINGS: Final = ("ed", "ing", "able", "ly", "tion", "ment", "ness", "'s", "ies")


def is_secret(kind: NameKind, value: str, *, sure: bool, quoted: bool) -> bool:
    """Return whether a value is the secret that a name of this kind announces.

    Args:
        kind: What the name says.
        value: The value, without quotes.
        sure: Whether a sign such as ``=`` ties it to the name. Otherwise only a space or a verb does.
        quoted: Whether the value is in quotes.
    """
    if is_placeholder(value) or (not quoted and _is_code(value)):
        return False
    if kind >= NameKind.SECRET and sure:
        return _is_password(value, plain=kind is NameKind.PASSWORD or quoted, quoted=quoted)
    if sure:
        return _is_token(value) and not (kind is NameKind.KEY and _UUID.fullmatch(value) is not None)
    return _is_stated(value, kind, quoted=quoted)


def is_plain_word(value: str) -> bool:
    """Return whether a value may be a password without digits and signs, rather than prose."""
    word = value.lower().rstrip("?!.")
    return (
        len(word) >= _MIN_WORD_CHARS and word.isalpha() and word not in _PROSE
        and not word.endswith(_PROSE_ENDINGS)
        and (word.isascii() or word[0] < "\u2e80")
    )  # fmt: skip


def is_phrase(value: str) -> bool:
    """Return whether several words may be a passphrase: hardly any is one of prose."""
    words = [word.strip(",.;:!?()'\"").lower() for word in value.split()]
    prose = sum(1 for word in words if word in _PROSE)
    return 1 < len(words) <= 8 and prose * 5 < len(words) * 2  # noqa: PLR2004 - a passphrase


def is_placeholder(value: str) -> bool:
    """Return whether a value stands for a secret that is elsewhere, or for none."""
    lowered = value.lower()
    if len(set(value)) == 1 or not value.strip("*xX.-_?#\u2022\u2026 "):  # ****, xxxx
        return True
    return (
        lowered in _PROSE
        or lowered.startswith(_CODE)
        or bool(_BRACES.fullmatch(value) or _YOURS.fullmatch(value) or _PATH.fullmatch(value))
    )


def _is_code(value: str) -> bool:
    return _CALL.match(value) is not None


def _is_password(value: str, *, plain: bool, quoted: bool) -> bool:
    if len(value) < _MIN_PASSWORD_CHARS:
        return False
    if " " in value:
        return is_phrase(value)
    if value.isdigit():
        return plain and len(value) >= 4  # noqa: PLR2004 - a PIN
    if value.isalpha():
        return plain and _is_one_word(value, quoted=quoted)
    if not any(char.isalnum() for char in value):
        return len(value) > 5  # noqa: PLR2004 - !@#$%^
    return plain or _mixes_all(value) or not _WORDS.fullmatch(value) or _is_odd(value)


def _is_one_word(value: str, *, quoted: bool) -> bool:
    """Return whether letters alone may be a password."""
    if not value.isascii() and value[0] >= _FIRST_CJK:
        return False
    return value.lower() not in _PROSE if quoted else is_plain_word(value)


def _is_odd(value: str) -> bool:
    """Return whether letters and a digit look random rather than like a name."""
    return len(value) >= 8 and looks_random(value) and not _is_made_of_words(value)  # noqa: PLR2004 - a password


def _is_token(value: str) -> bool:
    if len(value) < _MIN_TOKEN_CHARS or " " in value or value.replace(".", "").replace("-", "").isdigit():
        return False
    if _WORDS.fullmatch(value) or _is_made_of_words(value) or _HOST.fullmatch(value):
        return _is_mixed_case(value)
    mixed = not value.isalpha() and not value.isdigit() and len(set(value)) > 1
    return (looks_random(value) or mixed) and not any(order in value.lower() for order in _ORDERED)


def _is_mixed_case(value: str) -> bool:
    """Return whether letters with hardly a digit are drawn by chance: their case changes often."""
    changes = sum(1 for a, b in pairwise(value) if a.islower() and b.isupper())
    return len(value) >= 16 and value.isalnum() and changes * 6 >= len(value)  # noqa: PLR2004 - a token


def _is_stated(value: str, kind: NameKind, *, quoted: bool) -> bool:
    """Return whether a value is a secret that only a verb or a space ties to its name."""
    least = _MIN_STATED_TOKEN_CHARS if kind <= NameKind.TOKEN else _MIN_STATED_CHARS
    if len(value) < least and not (quoted and len(value) > _MIN_PASSWORD_CHARS):
        return False
    if quoted and kind is NameKind.PASSWORD and is_plain_word(value):
        return True
    if _UUID.fullmatch(value) or "=" in value[:-2] or " " in value:
        return False
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    if kind <= NameKind.TOKEN:
        return letters and digits and _is_token(value)
    signs = any(not char.isalnum() and char not in "._-/'\"" for char in value)
    if kind is NameKind.PASSWORD and letters and signs and value[0] not in "([{":
        return True
    return letters and digits and _is_stated_password(value)


def _is_stated_password(value: str) -> bool:
    if not value.isalnum() and _mixes_all(value):
        return True
    return _is_odd_word(value) if _WORDS.fullmatch(value) else not _is_made_of_words(value)


def _mixes_all(value: str) -> bool:
    """Return whether a value has digits and letters of both cases, and is not just a name with a number."""
    digits = sum(map(str.isdigit, value))
    return (
        digits > 0
        and value != value.lower()
        and value != value.upper()
        and not value.rstrip("0123456789").istitle()
    )


def _is_odd_word(value: str) -> bool:
    """Return whether letters with a digit or two behind are a password: their case changes more than once."""
    changes = sum(1 for a, b in pairwise(value) if a.islower() and b.isupper())
    return looks_random(value) and changes > (1 if value[0].isupper() or not value.isalnum() else 0)


def _is_made_of_words(value: str) -> bool:
    """Return whether a value is words, numbers and versions joined by signs, like the name of a thing."""
    parts = [part for part in _JOINTS.split(value) if part]
    return len(parts) > 1 and all(_WORDY.fullmatch(part) for part in parts)

"""Numbers of people: cards, social security numbers, phone numbers, IBANs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.normalise import TextRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._redaction.normalise import Scan

_CLUSTER: Final = re.compile(r"\d(?:[ ().\-/]{0,3}+\d){5,}+(?:(?=x\d|ext)|(?!\w|[.,]\d))")
_EXTENSION: Final = re.compile(r" ?(?:x|ext\.? ?)\d{1,6}(?!\w)")
_US: Final = re.compile(r"(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}")
_SSN: Final = re.compile(r"\d{3}([ -])\d{2}\1\d{4}")
_NOT_A_PHONE: Final = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}(?: .*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d+\.\d+|\d{1,3}(?:\.\d{1,3}){2,4}"
)
_PHONE_WORDS: Final = (
    "phone", "mobile", "tel", "cell", "fax", "call", "office", "desk", "number", "reach", "contact", "answer",
    "text ", "message", "sms", "whatsapp", "dial", "ring", "hotline", "line",
)  # fmt: skip
_NUMBER_WORDS: Final = (
    "order",
    "ticket",
    "isbn",
    "invoice",
    "tracking",
    "version",
    "snowflake",
    "timestamp",
    " id",
)
_PLACES: Final = ("office", "fax", "mobile")
_PAIRS: Final = re.compile(r"\d\d(?:[ .-]\d\d){2}")
_SPACED_OUT: Final = re.compile(r"\d(?:[ ,-]\d)+")
_CONTEXT_CHARS: Final = 48
_CARD_LENGTHS: Final = range(12, 20)
_PHONE_DIGITS: Final = range(6, 16)
_MAX_DIGITS: Final = 19
_DROP_SEPARATORS: Final = dict.fromkeys(map(ord, " ().-/+"))
_PHONE_NAMES: Final = ("phone", "mobile", "tel", "cell", "fax", "call", "office", "whatsapp")
_IBAN: Final = re.compile(r"[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}+(?![A-Za-z0-9])")
_IBAN_CHECK: Final = re.compile(r"\d(?<=[A-Za-z]\d)\d")
_IBAN_TABLE: Final = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26
IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28
NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25
SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
IBAN_LENGTHS: Final = {word[:2]: int(word[2:]) for word in _IBAN_TABLE.split()}
"""Country to length of its IBAN (SWIFT IBAN registry)."""


def find_numbers(scan: Scan) -> Iterator[TextRange]:
    """Yield cards, social security numbers and phone numbers among clusters of digits."""
    text, lowered = scan.text, scan.lowered
    for cluster in _CLUSTER.finditer(text):
        start, end = _left_edge(text, cluster.start()), cluster.end()
        if start < 0:
            continue
        shown = text[start:end]
        digits = shown.translate(_DROP_SEPARATORS)
        if len(digits) > _MAX_DIGITS:
            continue
        kind = _kind_of(shown, digits, lowered, start, end)
        if kind:
            extension = _EXTENSION.match(text, end) if kind == "PHONE" else None
            yield TextRange(start, extension.end() if extension else end, kind)


def _left_edge(text: str, start: int) -> int:
    """Return the start of a cluster with its plus sign and parenthesis, or -1 if it continues a word."""
    edge = start
    if edge and text[edge - 1] == "(":
        edge -= 1
    if edge > 1 and text[edge - 1] == " " and text[edge - 2] == "+":
        edge -= 1
    if edge and text[edge - 1] == "+":
        edge -= 1
    if edge == 0 or edge < start:
        return edge
    before = text[edge - 1]
    if before.isalnum() or before in "_$/":
        return -1
    return -1 if before in ".,-" and text[edge - 2 : edge - 1].isdigit() else edge


def _kind_of(shown: str, digits: str, lowered: str, start: int, end: int) -> str:
    around = lowered[max(0, start - _CONTEXT_CHARS) : start]
    if len(digits) in _CARD_LENGTHS and (is_card(digits) or "card" in around[-24:]):
        return "CREDIT_CARD"
    if _SSN.fullmatch(shown) or (len(digits) == 9 and ("ssn" in around or "social security" in around)):  # noqa: PLR2004 - an SSN
        return "SSN"
    stripped = shown.strip()
    if _NOT_A_PHONE.fullmatch(stripped) and not _is_dotted_phone(stripped, digits):
        return ""
    return "PHONE" if _is_phone(stripped, digits, around, lowered[end : end + 12]) else ""


def _is_dotted_phone(shown: str, digits: str) -> bool:
    return shown.count(".") >= 4 and len(digits) == 10  # noqa: PLR2004 - 01.84.17.61.18


def _is_phone(shown: str, digits: str, before: str, after: str) -> bool:
    if len(digits) not in _PHONE_DIGITS:
        return False
    international = shown.startswith("+") or (shown.startswith("00") and len(digits) >= 9)  # noqa: PLR2004 - 00 and a country
    return international or _US.fullmatch(shown) is not None or _is_local_phone(shown, digits, before, after)


def _is_local_phone(shown: str, digits: str, before: str, after: str) -> bool:
    """Return whether a number without a country code is a phone number by the words around it."""
    if any(word in before for word in _NUMBER_WORDS) and not any(
        word in before for word in ("phone", "call", "mobile")
    ):
        return False
    if len(digits) < 7 and not _PAIRS.fullmatch(shown):  # noqa: PLR2004 - three pairs are the shortest
        return False
    if any(char in shown for char in "-.( ") and not _SPACED_OUT.fullmatch(shown):
        return any(word in before for word in _PHONE_WORDS) or any(word in after for word in _PLACES)
    named = any(word in before for word in _PHONE_NAMES) or any(word in after for word in _PLACES)
    return named and len(digits) >= 9  # noqa: PLR2004 - one run of digits


def is_card(digits: str) -> bool:
    """Return whether digits are a card number by issuer's prefix, length and Luhn check (ISO/IEC 7812)."""
    if digits[0] not in "23456" and not digits.startswith(("1800", "62", "81")):
        return False
    if (digits[0] == "3" and len(digits) > 16) or len(set(digits)) == 1:  # noqa: PLR2004 - not an issuer's number
        return False
    odd = sum(map(int, digits[-1::-2]))
    even = sum((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[int(digit)] for digit in digits[-2::-2])
    return (odd + even) % 10 == 0


def find_ibans(scan: Scan) -> Iterator[TextRange]:
    """Yield IBANs with their country's length and valid check digits (ISO 13616, mod 97)."""
    text = scan.text
    for run in _IBAN_CHECK.finditer(text):
        start = run.start() - 2
        length = IBAN_LENGTHS.get(text[start : start + 2].upper()) if start >= 0 else None
        if length is None or (start and text[start - 1].isalnum()):
            continue
        match = _IBAN.match(text, start)
        end = _end_of_iban(match, length) if match is not None else 0
        if end and ("iban" in scan.lowered[max(0, start - 24) : start] or _mod97(text[start:end])):
            yield TextRange(start, end, "IBAN")


def _end_of_iban(match: re.Match[str], length: int) -> int:
    """Return the end of the first ``length`` letters and digits, or 0 if there are fewer."""
    count = 0
    for offset, char in enumerate(match.group()):
        count += char.isalnum()
        if count == length:
            return match.start() + offset + 1
    return 0


def _mod97(iban: str) -> bool:
    compact = iban.replace(" ", "").replace("-", "").upper()
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1

"""International bank account numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.normalise import TextRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._redaction.normalise import Scan

_CHECK: Final = re.compile(rb"00(?<=[ag][ag]00)")
"""Matches two digits behind two letters, in Scan.classes."""
_MAX_GAPS: Final = 34
_TABLE: Final = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26
IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28
NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25
SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
IBAN_LENGTHS: Final = {word[:2]: int(word[2:]) for word in _TABLE.split()}
"""Country to length of its IBAN (SWIFT IBAN registry)."""


def find_ibans(scan: Scan) -> Iterator[TextRange]:
    """Yield IBANs with their country's length and valid check digits (ISO 13616, mod 97)."""
    text = scan.text
    for digits in _CHECK.finditer(scan.classes):
        start = digits.start() - 2
        length = IBAN_LENGTHS.get(text[start : start + 2].upper())
        if length is None:
            continue
        compact, end = _read(text, start, length)
        # Without the check digits, a letter before or behind makes it a longer word.
        if end and (_is_valid(compact) or (_is_named(scan, start) and not _continues(text, start, end))):
            yield TextRange(start, end, "IBAN")


def _read(text: str, start: int, length: int) -> tuple[str, int]:
    """Return as many letters and digits as an IBAN has and where they end; 0 if there are fewer."""
    kept: list[str] = []
    gap = 0
    for at in range(start, min(len(text), start + length + _MAX_GAPS)):
        char = text[at]
        if char.isascii() and char.isalnum():
            kept.append(char)
            gap = 0
            if len(kept) == length:
                return "".join(kept), at + 1
        elif char in " -." and gap < 2:  # noqa: PLR2004 - signs between two groups
            gap += 1
        else:
            break
    return "", 0


def _is_named(scan: Scan, start: int) -> bool:
    return "iban" in scan.lowered[max(0, start - 24) : start]


def _continues(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return any(char.isascii() and char.isalnum() for char in (before, after) if char)


def _is_valid(compact: str) -> bool:
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1

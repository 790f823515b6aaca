"""Decodes the escapes in which a text may stand inside another: JSON, URLs, XML, Markdown, terminals.

Detectors see the decoded text, so that none has to know of escapes. Offsets are mapped back to the original.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_BACKSLASHED: Final = re.compile(
    r"\\{1,15}(?:(?:u001[bB]|x1[bB]|033|e)\[[0-9;?]{0,30}[A-Za-z]|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrt!-/:-@\[\]^-`{-~]))"
)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;?]{0,30}[A-Za-z]")
_PERCENT: Final = re.compile(
    r"%(?:[0-7][0-9a-fA-F]|[cCdD][0-9a-fA-F]%[0-9a-fA-F]{2}|[eE][0-9a-fA-F](?:%[0-9a-fA-F]{2}){2}|[fF][0-7](?:%[0-9a-fA-F]{2}){3})"
)
"""A character of a URL, in UTF-8."""
_PERCENT_SIGN: Final = re.compile(r"%(?:3[aAdD]|40|2[bBfF])")
"""A sign that joins the parts of a URL. Another that stands alone may as well be part of a password."""
_ENTITY: Final = re.compile(r"&(?:(quot|apos|lt|gt|amp|nbsp)|#(\d{2,6})|#x([0-9a-fA-F]{2,5}));")
_SPACES: Final = dict.fromkeys("nrt", "\n")
_ENTITIES: Final = {"quot": '"', "apos": "'", "lt": "<", "gt": ">", "amp": "&", "nbsp": " "}
_MAX_DEPTH: Final = 3
"""JSON in JSON in JSON, or ``%2522``."""
_FOREIGN: Final = "\u00ff"
"""Stands for a character that is not ASCII, given by its bytes."""

Shifts = tuple[list[int], list[int]]
"""Positions in a decoded text, and how far behind the original each lies from there on."""


def decode(text: str) -> tuple[str, list[Shifts]]:
    """Return the decoded text, and a mapping to the original for each time that something was decoded."""
    maps: list[Shifts] = []
    for _ in range(_MAX_DEPTH):
        count = len(maps)
        for sign, pattern, character in _ESCAPES:
            if sign in text:
                single = pattern is _PERCENT and "://" not in text and len(_PERCENT.findall(text)) == 1
                text = _decode(text, _PERCENT_SIGN if single else pattern, character, maps)
        if len(maps) == count:
            break
    return text, maps


def original(position: int, maps: list[Shifts]) -> int:
    """Return the position in the original text of a position in the decoded one."""
    for places, shifts in reversed(maps):
        index = bisect_right(places, position)
        if index:
            position += shifts[index - 1]
    return position


def _decode(
    text: str, pattern: re.Pattern[str], character: Callable[[re.Match[str]], str], maps: list[Shifts]
) -> str:
    parts: list[str] = []
    places: list[int] = []
    shifts: list[int] = []
    done = length = shift = 0
    for match in pattern.finditer(text):
        start, end = match.span()
        parts += (text[done:start], character(match))
        length += start - done + 1
        shift += end - start - 1
        places.append(length)
        shifts.append(shift)
        done = end
    if not places:
        return text
    maps.append((places, shifts))
    return "".join((*parts, text[done:]))


def _backslashed(match: re.Match[str]) -> str:
    code, byte, sign = match.groups()
    if sign:
        return _SPACES.get(sign, sign)
    if byte:
        return _of_byte(byte)
    return _of_code(int(code, 16)) if code else " "


def _entity(match: re.Match[str]) -> str:
    name, decimal, code = match.groups()
    return _ENTITIES[name] if name else _of_code(int(decimal) if decimal else int(code, 16))


def _of_code(code: int) -> str:
    is_character = 0 < code < 0xD800 or 0xDFFF < code <= 0x10FFFF  # noqa: PLR2004 - but surrogates
    return chr(code) if is_character else _FOREIGN


def _of_byte(digits: str) -> str:
    code = int(digits, 16)
    return chr(code) if code < 0x80 else _FOREIGN  # noqa: PLR2004 - ASCII


_ESCAPES: Final = (
    ("\\", _BACKSLASHED, _backslashed),
    ("\x1b", _COLOUR, lambda _match: " "),
    ("%", _PERCENT, lambda match: bytes.fromhex(match.group().replace("%", "")).decode(errors="replace")[0]),
    ("&", _ENTITY, _entity),
)

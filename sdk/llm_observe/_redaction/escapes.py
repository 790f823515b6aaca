"""Decodes the escapes in which a text may stand inside another: JSON, URLs, XML, Markdown, terminals.

Detectors see the decoded text, so that none has to know of escapes. Offsets are mapped back to the original.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

_COLOUR: Final = r"(?:\x1b|\\{1,7}(?:u001[bB]|x1[bB]|033|e))\[[0-9;?]{0,30}[A-Za-z]"
_BACKSLASH: Final = r"\\{1,15}(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrt!-/:-@\[\]^-`{-~]))"
_PERCENT: Final = r"%([0-9a-fA-F]{2})"
_ENTITY: Final = r"&(?:(quot|apos|lt|gt|amp|nbsp)|#(\d{2,6})|#x([0-9a-fA-F]{2,5}));"
_ESCAPE: Final = re.compile(f"{_COLOUR}|{_BACKSLASH}|{_PERCENT}|{_ENTITY}")
_SPACES: Final = dict.fromkeys("nrt", "\n")
_ENTITIES: Final = {"quot": '"', "apos": "'", "lt": "<", "gt": ">", "amp": "&", "nbsp": " "}
_SIGNS: Final = ("\\", "\x1b", "%", "&")
_MAX_DEPTH: Final = 3
"""JSON in JSON in JSON, or ``%2522``."""
_FOREIGN: Final = "\u00ff"
"""Stands for a character that is not ASCII, given by its bytes."""

Shifts = tuple[list[int], list[int]]
"""Positions in a decoded text, and how far behind the original each lies from there on."""


def decode(text: str) -> tuple[str, list[Shifts]]:
    """Return the decoded text, and a mapping to the original for each time it was decoded."""
    maps: list[Shifts] = []
    for _ in range(_MAX_DEPTH):
        if not any(sign in text for sign in _SIGNS):
            break
        decoded, shifts = _decode_once(text)
        if not shifts[0]:
            break
        text = decoded
        maps.append(shifts)
    return text, maps


def original(position: int, maps: list[Shifts]) -> int:
    """Return the position in the original text of a position in the decoded one."""
    for places, shifts in reversed(maps):
        index = bisect_right(places, position)
        if index:
            position += shifts[index - 1]
    return position


def _decode_once(text: str) -> tuple[str, Shifts]:
    parts: list[str] = []
    places: list[int] = []
    shifts: list[int] = []
    done = length = shift = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        parts += (text[done:start], _character(match))
        length += start - done + 1
        shift += end - start - 1
        places.append(length)
        shifts.append(shift)
        done = end
    parts.append(text[done:])
    return "".join(parts), (places, shifts)


def _character(match: re.Match[str]) -> str:
    """Return the one character that an escape stands for."""
    kind = match.lastindex
    if kind is None:  # a colour
        return " "
    value = match.group(kind)
    if kind == 3:  # noqa: PLR2004 - the third group: a backslash before a letter or a sign
        return _SPACES.get(value, value)
    if kind == 5:  # noqa: PLR2004 - the fifth group: an entity's name
        return _ENTITIES[value]
    code = int(value, 10 if kind == 6 else 16)  # noqa: PLR2004 - the sixth group: a decimal entity
    if kind == 1 or kind > 5:  # noqa: PLR2004 - these groups hold characters, the others bytes
        return chr(code) if 0 < code < 0xD800 or 0xDFFF < code <= 0x10FFFF else _FOREIGN  # noqa: PLR2004 - surrogates
    return chr(code) if code < 0x80 else _FOREIGN  # noqa: PLR2004 - ASCII

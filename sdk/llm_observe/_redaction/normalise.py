"""The forms of a text in which the detectors search."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from llm_observe._redaction.escapes import decode, original

_LONG_CHARS: Final = 12
_DIGIT: Final = re.compile(r"[0-9]")
_MIN_RUN_CHARS: Final = 20
_RUN: Final = re.compile(rf"[A-Za-z0-9_-]{{{_MIN_RUN_CHARS},}}")


class TextRange(NamedTuple):
    """A range of a text to replace by ``[kind]``."""

    start: int
    end: int
    kind: str


_SPACES: Final = (
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_ZEROS: Final = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0\u0f20"
    "\u1040\u1090\u17e0\u1810\u1946\u19d0\u1a80\u1a90\u1b50\u1bb0\u1c40\u1c50\ua620\ua8d0\ua900\ua9d0"
    "\ua9f0\uaa50\uabf0\U000104a0\U00010d30\U00011066\U000110f0\U00011136\U000111d0\U000112f0"
    "\U00011450\U000114d0\U00011650\U000116c0\U00011730\U000118e0\U00011950\U00011c50\U00011d50"
    "\U00011da0\U00016a60\U00016ac0\U00016b50\U0001d7ce\U0001d7d8\U0001d7e2\U0001d7ec\U0001d7f6"
    "\U0001e140\U0001e2f0\U0001e950\U0001fbf0"
)
"""Zeros of all scripts; the other digits follow them."""
_TABLE: Final = {
    **{ord(char): " " for char in _SPACES},
    **{ord(char): "-" for char in _DASHES},
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **{ord(zero) + digit: str(digit) for zero in _ZEROS for digit in range(10)},
    0x0130: "I",  # its lower case is two characters
    0x2024: ".",
}
_LAST_SMALL: Final = "\uffff"
_LOOK_ALIKE: Final = re.compile(
    f"[{''.join(char for char in map(chr, _TABLE) if char <= _LAST_SMALL)}\U00010000-\U0010ffff]"
)
"""Matches too much beyond the basic plane, where single characters would make the pattern slow."""
_MANY_LOOK_ALIKES: Final = 8
"""Up to so many, replacing one after another is faster."""
_CLASSES: Final = bytes.maketrans(
    b"123456789bcdefABCDEFhijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ",
    b"000000000" + b"a" * 11 + b"g" * 39,
)


def normalise(text: str) -> str:
    """Return a text of the same length, in which look-alike characters are ASCII."""
    if text.isascii():
        return text
    found = set(_LOOK_ALIKE.findall(text))
    if len(found) > _MANY_LOOK_ALIKES:
        return text.translate(_TABLE)
    for char in found:
        text = text.replace(char, _TABLE.get(ord(char), char))
    return text


class _LongWords(NamedTuple):
    """The long words of a text: only they can hold keys, and most prose has few."""

    joined: str
    """Each on a line."""
    longest: int
    """Characters of the longest."""
    runs: list[str]
    """The long runs of letters, digits, underscores and dashes in which a digit is."""


def _long_words(text: str) -> _LongWords:
    words = [word for word in text.split() if len(word) >= _LONG_CHARS]
    joined = "\n".join(words)
    longest = max(map(len, words), default=0)
    return _LongWords(joined, longest, _runs_in(joined) if longest >= _MIN_RUN_CHARS else [])


def _runs_in(words: str) -> list[str]:
    return [run for run in _RUN.findall(words) if _DIGIT.search(run)]


class Scan:
    """The forms of a text that the detectors need, computed once."""

    __slots__ = ("_classes", "_maps", "_words", "lowered", "text")

    def __init__(self, text: str) -> None:
        decoded, self._maps = decode(text)
        self.text = normalise(decoded)
        """The text without escapes; ranges refer to it."""
        self.lowered = self.text.lower()
        self._classes: bytes | None = None
        self._words: _LongWords | None = None

    @property
    def classes(self) -> bytes:
        """The text's characters as bytes, in which a search is cheap.

        ``0`` stands for a digit, ``a`` for a hexadecimal letter, ``g`` for another one, ``?`` for what is not
        ASCII, and every other character for itself.
        """
        if self._classes is None:
            self._classes = self.text.encode("ascii", "replace").translate(_CLASSES)
        return self._classes

    @property
    def has_digit(self) -> bool:
        """Whether a digit stands in the text."""
        return b"0" in self.classes

    @property
    def words(self) -> _LongWords:
        """The long words."""
        if self._words is None:
            self._words = _long_words(self.text)
        return self._words

    def in_original(self, found: TextRange) -> TextRange:
        """Return a range of the text as a range of the original."""
        if not self._maps:
            return found
        return TextRange(original(found.start, self._maps), original(found.end, self._maps), found.kind)

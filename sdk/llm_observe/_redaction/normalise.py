"""The forms of a text in which the detectors search."""

from __future__ import annotations

from typing import Final, NamedTuple

from llm_observe._redaction.escapes import decode, original

_LONG_CHARS: Final = 12


class TextRange(NamedTuple):
    """A range of a text to replace by ``[kind]``."""

    start: int
    end: int
    kind: str


_SPACES: Final = (
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_TABLE: Final = {
    **{ord(char): " " for char in _SPACES},
    **{ord(char): "-" for char in _DASHES},
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **{0x0660 + digit: str(digit) for digit in range(10)},
    **{0x06F0 + digit: str(digit) for digit in range(10)},
    0x0130: "I",  # its lower case is two characters
    0x2024: ".",
}


def normalise(text: str) -> str:
    """Return a text of the same length, in which look-alike characters are ASCII."""
    return text if text.isascii() else text.translate(_TABLE)


class Scan:
    """The forms of a text that the detectors need, computed once."""

    __slots__ = ("_maps", "joined", "longest", "lowered", "text")

    def __init__(self, text: str) -> None:
        decoded, self._maps = decode(text)
        self.text = normalise(decoded)
        """The text without escapes; ranges refer to it."""
        self.lowered = self.text.lower()
        long_words = [word for word in self.text.split() if len(word) >= _LONG_CHARS]
        self.joined = "\n".join(long_words)
        """The long words: only they can hold keys, and most prose has few."""
        self.longest = max(map(len, long_words), default=0)

    def in_original(self, found: TextRange) -> TextRange:
        """Return a range of the text as a range of the original."""
        if not self._maps:
            return found
        return TextRange(original(found.start, self._maps), original(found.end, self._maps), found.kind)

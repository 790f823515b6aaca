"""Finds the parts of names of secrets, such as ``pass`` and ``token``, wherever they stand in a text."""

from __future__ import annotations

import re
from typing import Final

from llm_observe._redaction.names import STEMS
from llm_observe._redaction.prefixes import alternatives

WHOLE_STEMS: Final = frozenset({"pat", "pin", "sid", "sig", "otp", "ptt", "mdp", "psw", "pw"})
"""Stems too short to be looked for inside words."""
ASCII_STEMS: Final = tuple(
    stem
    for stem in STEMS
    if stem.isascii()
    and not any(other in stem for other in STEMS if other != stem and other not in WHOLE_STEMS)
)
FOREIGN_STEMS: Final = tuple(stem for stem in STEMS if not stem.isascii())
_RARE_LETTERS: Final = "kmpcts"
"""One is in the first word of each stem, not at its end. A search for them takes half the time of one for the
stems' first letters, of which most are common."""


def has_foreign_stem(lowered: str) -> bool:
    """Return whether a stem that is not ASCII stands in a text in lower case."""
    return _FOREIGN_PATTERN.search(lowered) is not None


def find_stems(lowered: str) -> list[tuple[int, str]]:
    """Return where stems stand in a text in lower case, and which; of those that overlap, one."""
    found = []
    for match in _PATTERN.finditer(lowered):
        at = match.start() - _CHARS_BEFORE[match.group()]
        found.append((at, lowered[at : match.end()]))
    if not lowered.isascii():
        found += [(match.start(), match.group()) for match in _FOREIGN_PATTERN.finditer(lowered)]
        found.sort()
    return found


def _split(stem: str) -> tuple[str, str]:
    """Return a stem in two parts, of which the second begins with the rarest letter."""
    word = re.split("[ -]", stem[:-1], maxsplit=1)[0]
    at = word.index(next(letter for letter in _RARE_LETTERS if letter in word))
    return stem[:at], stem[at:]


def _tree(stems: list[tuple[str, str]]) -> str:
    """Return a pattern of (what is left of a stem, what must then be true), which tries the longest first."""
    by_first: dict[str, list[tuple[str, str]]] = {}
    for rest, then in stems:
        by_first.setdefault(rest[:1], []).append((rest[1:], then))
    ends = [then for _, then in by_first.pop("", [])]
    branches = [re.escape(first) + _tree(rests) for first, rests in by_first.items()]
    return f"(?:{'|'.join(branches + ends)})"


def _end_of(before: str, stem: str) -> str:
    """Return what must be true behind a stem: that all of it stands there, perhaps as a word."""
    whole = f"(?<={re.escape(stem)})" if before else ""
    return f"{whole}(?<![a-z]{stem})(?![a-z])" if stem in WHOLE_STEMS else whole


_CHARS_BEFORE: Final = {rest: len(before) for before, rest in map(_split, ASCII_STEMS)}
_PATTERN: Final = re.compile(
    _tree([(rest, _end_of(before, before + rest)) for before, rest in map(_split, ASCII_STEMS)])[3:-1]
)
"""Without the group around it, so that the engine looks for the rare letters only."""
_FOREIGN_PATTERN: Final = re.compile(alternatives(list(FOREIGN_STEMS)))

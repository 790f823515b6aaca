"""The product of kinds and contexts, and what of a secret survived redaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.support.redaction.chance import Chance
from tests.support.redaction.contexts import CONTEXTS
from tests.support.redaction.kinds import KINDS, PERSONAL, Sample, draw

_LONG_CHARS = 20
_WINDOW_CHARS = 8
_SHORT_WINDOW_CHARS = 5


class Case(NamedTuple):
    """A secret of a kind in a context."""

    kind: str
    context: str
    sample: Sample
    text: str


def cases(seed: int, kinds: list[str] | None = None) -> Iterator[Case]:
    """Yield each kind in each context."""
    for kind in kinds or KINDS:
        for context, fill in CONTEXTS.items():
            sample = draw(kind, Chance(f"{seed} {kind} {context}"))
            yield Case(kind, context, sample, fill(sample.text))


def leaks(case: Case, redact: Callable[[str], str]) -> bool:
    """Return whether a part of the secret that would be of use stands in the redacted text."""
    return survives_in(case, redact(case.text))


def survives_in(case: Case, shown: str) -> bool:
    """Return whether a part of a case's secret stands in a redacted text."""
    return survives(case.sample.secret, shown, digits=case.kind in PERSONAL)


def survives(secret: str, text: str, *, digits: bool = False) -> bool:
    """Return whether enough characters of a secret in a row, or digits of a number, stand in a text."""
    if digits and not re.search(r"[A-Za-z@:.]", secret):
        secret, text = re.sub(r"\D", "", secret), re.sub(r"(?<=\d)[ ().\-/]{1,3}(?=\d)", "", text)
    if "@" in secret:
        secret = secret.split("@")[0]
    size = _WINDOW_CHARS if len(secret) >= _LONG_CHARS else min(len(secret), _SHORT_WINDOW_CHARS)
    if re.fullmatch(r"\d+(\.\d+){3}", secret):
        size = len(secret)
    return any(secret[at : at + size] in text for at in range(len(secret) - size + 1))

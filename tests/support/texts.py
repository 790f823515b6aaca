"""Texts as applications send them: chats, documents, code, data and logs, in ten languages. A seeded mix.

The texts are in texts.txt, between lines of two percent signs. In them § is a small number, № a large one, ¶
a UUID, ‡ a hash, and ¤ a date.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Final

from tests.support.redaction.chance import HEX, Chance
from tests.support.redaction.kinds import KEYS, NAMED, PERSONAL, SHAPED, draw

MAX_CHARS: Final = 480
_SENSITIVE_SHARE: Final = 0.05
PARAGRAPHS: Final = tuple(Path(__file__).with_suffix(".txt").read_text("utf-8").rstrip().split("\n%%\n"))
_SENTENCES: Final = (
    "My contact is {}.", "It says {} in the letter.", "Please use {} from now on.", "config:\n  value: {}\n",
    'client = Client("{}")', "{} is what they sent me", "| id | {} | yes |", "log: got {} from the client",
)  # fmt: skip
_GROUPS: Final = (PERSONAL, PERSONAL, PERSONAL, NAMED, SHAPED, KEYS)
"""Half of what is sensitive is personal data."""


def make_text(chance: Chance) -> str:
    """Return a text of up to 480 characters; one of twenty holds something to redact."""
    parts = chance.sample(PARAGRAPHS, chance.choice((1, 1, 2, 2, 3, 3)))
    text = chance.choice(("\n\n", " ", "\n")).join(fill(part, chance) for part in parts)
    if chance.random() >= _SENSITIVE_SHARE:
        return text[:MAX_CHARS]
    kind = chance.choice([*chance.choice(_GROUPS)])
    sensitive = chance.choice(_SENTENCES).format(draw(kind, chance).text)
    at = text.find(" ", chance.randrange(max(1, min(len(text), MAX_CHARS) - len(sensitive)))) + 1
    return f"{text[:at]}{sensitive} {text[at:]}"[:MAX_CHARS]


def fill(paragraph: str, chance: Chance) -> str:
    """Return a paragraph with its places filled."""
    fillings = {
        "§": lambda: str(chance.randrange(2, 40)),
        "№": lambda: str(chance.randrange(10**5, 10**8)),
        "¶": lambda: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "‡": lambda: "".join(chance.choices(HEX, k=40)),
        "¤": lambda: f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
    }
    return re.sub("[§№¶‡¤]", lambda match: fillings[match.group()](), paragraph)

"""Makes the texts of errors fit: they travel in headers of bounded size, and end in logs and on terminals."""

from __future__ import annotations

import re
from typing import Final

MAX_HEADER_BYTES: Final = 1_500
"""Longest text, as HTTP/2 headers carry it. An answer whose headers take 8 KB is refused by gRPC itself, and
a text stands in them up to three times: as the message, and in the details as message and violation."""
_PLAIN_BYTES: Final = 1
_ESCAPED_BYTES: Final = 3
"""Of a byte that headers cannot hold as it is."""
_ID: Final = re.compile(r"[\w-]{1,64}", re.ASCII)


def may_be_id(text: str) -> bool:
    """Tell whether a caller's text has the form of an id or a name, which an error may repeat."""
    return _ID.fullmatch(text) is not None


def to_error_text(text: str) -> str:
    """Return a text without control characters but newlines, cut to MAX_HEADER_BYTES."""
    shown = "".join(
        char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text
    )
    room = MAX_HEADER_BYTES
    for index, char in enumerate(shown):
        room -= _PLAIN_BYTES if " " <= char <= "~" and char != "%" else _ESCAPED_BYTES * len(char.encode())
        if room < 0:
            return shown[:index]
    return shown

"""Checks that requests of every service share: texts, ids, page sizes."""

from __future__ import annotations

import uuid

from codec.rules import is_uuid
from server.rpc.errors import InvalidField


def parse_limit(field: str, value: int, *, default: int, most: int) -> int:
    """Return a page size or limit: 0 means the default, more than the most is cut.

    Raises:
        InvalidField: It is negative.
    """
    if value < 0:
        raise InvalidField([(field, "must not be negative")])
    return min(value or default, most)


def parse_uuid(field: str, text: str) -> uuid.UUID:
    """Return a UUID.

    Raises:
        InvalidField: The text is not one.
    """
    if not is_uuid(text):
        raise InvalidField([(field, "must be a UUID")])
    return uuid.UUID(text)


def check_text(field: str, text: str, *, least: int = 0, most: int) -> None:
    """Check a text's length and that it can be stored.

    Raises:
        InvalidField: It is too short, too long, or contains NUL.
    """
    if not least <= len(text) <= most:
        wanted = f"{least} to {most} characters" if least else f"at most {most} characters"
        raise InvalidField([(field, wanted)])
    if "\x00" in text:
        raise InvalidField([(field, "must not contain NUL")])

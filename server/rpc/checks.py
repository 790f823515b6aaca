"""Checks of request fields that all services share: texts, ids, limits, enum values."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from codec.rules import is_uuid
from codec.words import words_of
from server.rpc.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec.words import Enum


def parse_limit(field: str, value: int, *, default: int, maximum: int) -> int:
    """Return a page size or limit: 0 means the default, more than the maximum means the maximum.

    Raises:
        InvalidField: It is negative.
    """
    if value < 0:
        raise InvalidField([(field, "must not be negative")])
    return min(value or default, maximum)


def parse_words(field: str, numbers: Sequence[int], enum: Enum) -> list[str]:
    """Return the words of enum values.

    Raises:
        InvalidField: A value is unspecified or unknown.
    """
    return [_parse_word(field, number, enum, "must each be one of") for number in numbers]


def parse_word(field: str, number: int, enum: Enum) -> str:
    """Return the word of an enum value.

    Raises:
        InvalidField: It is unspecified or unknown.
    """
    return _parse_word(field, number, enum, "must be one of")


def _parse_word(field: str, number: int, enum: Enum, problem: str) -> str:
    words = words_of(enum)
    if 0 < number < len(words) and words[number]:
        return words[number]
    known = ", ".join(word.upper() for word in words if word)
    raise InvalidField([(field, f"{problem} {known}")])


def parse_uuid(field: str, text: str) -> uuid.UUID:
    """Return the UUID that a text holds.

    Raises:
        InvalidField: It is not a UUID.
    """
    if not is_uuid(text):
        raise InvalidField([(field, "must be a UUID")])
    return uuid.UUID(text)


def check_text(field: str, text: str, *, min_chars: int = 0, max_chars: int) -> None:
    """Check that a text has a length within bounds and can be stored.

    Raises:
        InvalidField: It is too short, too long, or contains NUL.
    """
    if not min_chars <= len(text) <= max_chars:
        length = f"{min_chars} to {max_chars}" if min_chars else f"at most {max_chars}"
        raise InvalidField([(field, f"must be {length} characters")])
    if "\x00" in text:
        raise InvalidField([(field, "must not contain NUL")])

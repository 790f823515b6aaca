"""Reads what emitters write: numbers as text, booleans as words, JSON in strings. Nothing here raises."""

from __future__ import annotations

import json
import re
from typing import Final, TypeAlias

Value: TypeAlias = "str | bool | int | float | bytes | list[Value] | dict[str, Value] | None"
"""An attribute's value, and whatever JSON text holds."""
Attributes: TypeAlias = "dict[str, Value]"

MAX_JSON_CHARS: Final = 64 * 1024
"""Longest JSON text that is read for a number or an id, in characters."""
MAX_MESSAGES_CHARS: Final = 4 * 1024 * 1024
"""Longest JSON text that is read for messages, in characters."""
_MAX_COUNT: Final = 2**63 - 1
_TRUE: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_HIDDEN: Final = {"__REDACTED__", "<REDACTED>", "[REDACTED]", "REDACTED"}
_NO_NAMES: Final = {"none", "null", "undefined", "nan"}
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_WHOLE: Final = re.compile(r"\d{1,19}")


def repaired(text: str) -> str:
    """Return a text without lone surrogates, which JSON can escape and UTF-8 cannot hold."""
    return text if text.isascii() else _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def to_text(value: Value) -> str | None:
    """Return a text that says something; None for anything else, such as what stands for hidden text."""
    if isinstance(value, str):
        text = value.strip()
        return repaired(text) if text and text not in _HIDDEN else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return str(value)


def to_name(value: Value) -> str | None:
    """Return a name or an id; None also for the words that some emitters write where there is none."""
    text = to_text(value)
    return None if text is None or text.lower() in _NO_NAMES else text


def to_count(value: Value) -> int | None:
    """Return a number of tokens; None for what is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MAX_COUNT:
        value = int(value)
    return value if isinstance(value, int) and 0 <= value <= _MAX_COUNT else None


def to_number(value: Value) -> float | None:
    """Return a number that is not negative, also one written as text; None for what is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _MAX_COUNT else None


def to_flag(value: Value) -> bool | None:
    """Return a boolean, also one written as a word; None for what is none."""
    if isinstance(value, bool):
        return value
    return _TRUE.get(value.strip().lower()) if isinstance(value, str) else None


def to_list(value: Value) -> list[Value]:
    """Return a list, also one written as JSON text; one value is a list of one, None an empty one."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = parse_json(value)
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def parse_json(text: Value, max_chars: int = MAX_JSON_CHARS) -> Value:
    """Return what a JSON text holds; None where it is none, or longer than max_chars."""
    if not isinstance(text, str) or len(text) > max_chars:
        return None
    try:
        parsed: Value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed


def dig(value: Value, *path: str | int) -> Value:
    """Return what stands under a path of keys and places; None where the path ends early."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and len(value) > step else None
    return value

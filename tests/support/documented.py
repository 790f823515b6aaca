"""Shell commands of documentation, and whether an answer is the documented one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    (grpcurl (?:.*\\\n)*.*)$", re.MULTILINE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CONSTANT = re.compile(r"[A-Z][A-Z_]+")


class Command(NamedTuple):
    """A command and what follows it: JSON, text that it prints, or nothing."""

    script: str
    answer_type: str
    answer: str


def documented_commands(path: Path) -> list[Command]:
    """Return the commands of a page that call grpcurl, in their order."""
    text = path.read_text()
    commands = [Command(script, "", "") for script in _INDENTED.findall(text)]
    blocks = _FENCED.findall(text)
    for index, (kind, body) in enumerate(blocks):
        if kind == "sh" and "grpcurl" in body:
            follows, answer = blocks[index + 1] if index + 1 < len(blocks) else ("sh", "")
            commands.append(Command(body, *(("", "") if follows == "sh" else (follows, answer))))
    return commands


def parse_messages(text: str) -> list[Any]:
    """Return the JSON values that stand one after the other.

    Raises:
        ValueError: Something else stands there.
    """
    found, decoder, rest = [], json.JSONDecoder(), text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].strip()
    return found


def is_like(documented: Any, actual: Any, ids: dict[str, str]) -> bool:
    """Whether an answer has all that is documented: fields, types and constants; other values may differ.

    ``ids`` gets the actual id for each documented one.
    """
    if isinstance(documented, dict):
        return isinstance(actual, dict) and all(
            name in actual and is_like(value, actual[name], ids) for name, value in documented.items()
        )
    if isinstance(documented, list):
        return (
            isinstance(actual, list)
            and len(documented) <= len(actual)
            and all(map(is_like, documented, actual, [ids] * len(documented)))
        )
    if isinstance(documented, str) and isinstance(actual, str):
        if _UUID.fullmatch(documented) and _UUID.fullmatch(actual):
            return ids.setdefault(documented, actual) == actual
        return actual == documented or not _CONSTANT.fullmatch(documented)
    return type(documented) is type(actual)


def has_lines(documented: str, actual: str) -> bool:
    """Whether a text has all documented lines, in their order."""
    lines = iter(actual.splitlines())
    return all(line in lines for line in documented.splitlines())

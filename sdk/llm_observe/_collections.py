"""Shows a list or a mapping of an observed function's arguments, without what is named as a secret.

A name may be a key, a field of a named tuple, the item before (``["--password", …]``), the text before a sign
(``"--password=…"``), or a value beside (``{"name": "DB_PASSWORD", "value": …}``).
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.names import is_secret_name, words_of
from llm_observe._values import KEPT_TEXT_CHARS, to_text, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SECRET: Final = "[SECRET]"  # noqa: S105 - a placeholder
_NOT_SHOWN: Final = "..."
_MAX_DEPTH: Final = 12
_MAX_KEY_CHARS: Final = 64
_MAX_JSON_CHARS: Final = 4 * KEPT_TEXT_CHARS
"""Longest text that is read as JSON: it costs the application's thread."""
_MAX_FIELDS: Final = 100
"""Fields of a mapping that are searched for the name of a value beside."""
_NAME: Final = re.compile(r"[^\s=:]{1,256}(?: [^\s=:]{1,64}){0,2}[=:]?")
"""A name as a text of its own: at most three words."""
_ASSIGNMENT: Final = re.compile(r"(?m)^([ \t]{0,40}[^\s=:]{1,256}[ \t]{0,4}[=:])(.+)")
_NAMING: Final = frozenset({
    "name", "key", "k", "header", "field", "option", "flag", "variable", "var", "parameter", "param",
    "property", "label", "env", "id",
})  # fmt: skip
"""Last words of keys whose value may be the name of another value."""
_NAMED: Final = frozenset({"value", "values", "val", "v", "data", "default", "content", "text"})
"""Last words of keys whose value may have its name beside it."""


def show(value: object) -> str:
    """Return a collection as JSON in which texts are not escaped, so that redaction can read them."""
    return _render(_Copier().copy(value))


def follow(values: Iterable[object]) -> Iterator[tuple[object, bool]]:
    """Yield each value with whether it follows the name of a secret."""
    hidden = False
    for value in values:
        yield value, hidden
        hidden = _names_secret(value)


def _names_secret(value: object) -> bool:
    if not issubclass(type(value), str | bytes):
        return False
    name = to_text(value)
    return bool(_NAME.fullmatch(name)) and is_secret_name(name)


def _render(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {_render(each)}' for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_render, value)) + "]"
    return json.dumps(value)


class _Copier:
    """Copies JSON-like values, without those that are named as a secret, while the preview has room."""

    def __init__(self) -> None:
        self._room = KEPT_TEXT_CHARS

    def copy(self, value: object, depth: int = 0) -> object:
        """Return the part of a value that may be shown."""
        self._room -= 1
        if self._room < 0 or depth > _MAX_DEPTH:
            return _NOT_SHOWN
        if isinstance(value, str):
            return self._copy_text(value, depth)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return self._copy_mapping(value, depth)
        if isinstance(value, list | tuple):
            fields = getattr(value, "_fields", None)  # of a named tuple
            return (
                self._copy_list(value, depth) if fields is None else self._copy_fields(fields, value, depth)
            )
        return f"<{type_name(type(value))}>"

    def _copy_text(self, value: str, depth: int) -> object:
        """Copy a text; one that is JSON is shown as what it says."""
        collection = _parse(value)
        if collection is not None:
            return self.copy(collection, depth + 1)
        text = value[: self._room]
        self._room -= len(text)
        return _ASSIGNMENT.sub(_without_secret, text)

    def _copy_fields(self, fields: Iterable[str], value: Iterable[object], depth: int) -> dict[str, object]:
        return self._copy_mapping(dict(zip(fields, value, strict=True)), depth)

    def _copy_mapping(self, value: dict[object, object], depth: int) -> dict[str, object]:
        copied: dict[str, object] = {}
        first = islice(value.items(), _MAX_FIELDS)
        named_beside = any(_names_secret(each) and _ends_with(_NAMING, key) for key, each in first)
        for key, each in value.items():
            name = to_text(key)
            hidden = is_secret_name(name) or (named_beside and _ends_with(_NAMED, key))
            copied[name[:_MAX_KEY_CHARS]] = _SECRET if hidden else self.copy(each, depth + 1)
            if self._room < 0:
                break
        return copied

    def _copy_list(self, value: Iterable[object], depth: int) -> list[object]:
        copied: list[object] = []
        for each, hidden in follow(value):
            copied.append(_SECRET if hidden else self.copy(each, depth + 1))
            if self._room < 0:
                break
        return copied


def _parse(text: str) -> object:
    """Return the list or mapping that a text is in JSON; None if it is neither."""
    if len(text) > _MAX_JSON_CHARS or text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _without_secret(assignment: re.Match[str]) -> str:
    start = assignment.group(1)
    return start + _SECRET if is_secret_name(start) else assignment.group()


def _ends_with(words: frozenset[str], key: object) -> bool:
    name = to_text(key)
    return len(name) <= _MAX_KEY_CHARS and not words.isdisjoint(words_of(name)[-1:])

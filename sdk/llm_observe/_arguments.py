"""Makes the input preview of an observed function from its arguments, without those named as a secret.

Of chat messages, the preview shows the user's newest; other lists and mappings appear as JSON. An object is
not shown, and inside a list or mapping only as its type: its repr may hold a key. A number is not shown
either: it is taken for a setting.
"""

from __future__ import annotations

import inspect
import json
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from llm_observe._call import KEPT_TEXT_CHARS
from llm_observe._providers.openai import last_user_text
from llm_observe._redaction.names import is_secret_name
from llm_observe._values import to_text

if TYPE_CHECKING:
    from collections.abc import Callable

_SECRET: Final = "[SECRET]"  # noqa: S105 - a placeholder
_NOT_SHOWN: Final = "..."
_MAX_DEPTH: Final = 12
_MAX_KEY_CHARS: Final = 64


class Arguments:
    """The names of a function's parameters, which decide whether an argument may be shown."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._names, self._rest = _positional_names(function)

    def preview(self, positional: tuple[object, ...], named: dict[str, object]) -> tuple[str, ...]:
        """Return the texts to show: references to text, and copies of everything else."""
        names = chain(self._names, repeat(self._rest))
        pairs = chain(zip(names, positional, strict=False), named.items())
        return tuple(text for name, value in pairs if (text := _show(name, value)))


def _positional_names(function: Callable[..., object]) -> tuple[list[str], str | None]:
    """Return the names of the positional parameters, and that of the variable ones (``*args``)."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except Exception:  # noqa: BLE001 - a function in C has no signature, and others may override theirs
        return [], None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [each.name for each in parameters if each.kind in kinds]
    return names, next((each.name for each in parameters if each.kind is each.VAR_POSITIONAL), None)


def _show(name: str | None, value: object) -> str:
    if name is None or is_secret_name(name):
        return ""
    try:
        if isinstance(value, str):
            return value
        if isinstance(value, dict | list | tuple):
            return "\n".join(last_user_text(value)) or json.dumps(_Copier().copy(value), ensure_ascii=False)
    except Exception:  # noqa: BLE001 - an unbound proxy, or the application's own kind of collection
        return ""
    return ""


class _Copier:
    """Copies JSON-like values, without those whose keys name a secret, while the preview has room."""

    def __init__(self) -> None:
        self._room = KEPT_TEXT_CHARS

    def copy(self, value: object, depth: int = 0) -> object:
        """Return the part of a value that may be shown."""
        self._room -= 1
        if self._room < 0 or depth > _MAX_DEPTH:
            return _NOT_SHOWN
        if isinstance(value, str):
            text = value[: self._room]
            self._room -= len(text)
            return text
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return self._copy_mapping(value, depth)
        if isinstance(value, list | tuple):
            return self._copy_list(value, depth)
        return f"<{type(value).__name__}>"

    def _copy_mapping(self, value: dict[object, object], depth: int) -> dict[str, object]:
        copied: dict[str, object] = {}
        for key, each in value.items():
            name = to_text(key)[:_MAX_KEY_CHARS]
            copied[name] = _SECRET if is_secret_name(name) else self.copy(each, depth + 1)
            if self._room < 0:
                break
        return copied

    def _copy_list(self, value: list[object] | tuple[object, ...], depth: int) -> list[object]:
        copied: list[object] = []
        for each in value:
            copied.append(self.copy(each, depth + 1))
            if self._room < 0:
                break
        return copied

"""What the preview of a call shows of a function's arguments: text of the prompt, nothing named as secret.

Of chat messages it shows the newest of the user, other lists and mappings as JSON. An object is not shown,
and inside of those only by its type: its repr may hold a key. A number that is an argument is a setting.
"""

from __future__ import annotations

import inspect
import json
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

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
    """The names of a function's parameters, which tell what of its arguments may be shown."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._names, self._rest = _positional_names(function)

    def preview(self, positional: tuple[Any, ...], named: dict[str, Any]) -> tuple[str, ...]:
        """Return the texts to show: references to text, everything else as it is now."""
        names = chain(self._names, repeat(self._rest))
        pairs = chain(zip(names, positional, strict=False), named.items())
        return tuple(text for name, value in pairs if (text := _show(name, value)))


def _positional_names(function: Callable[..., Any]) -> tuple[list[str], str | None]:
    """Return the names of the positional parameters, and the one of the rest (``*args``)."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except Exception:  # noqa: BLE001 - one written in C has none, and others may have one of their own making
        return [], None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [each.name for each in parameters if each.kind in kinds]
    return names, next((each.name for each in parameters if each.kind is each.VAR_POSITIONAL), None)


def _show(name: str | None, value: Any) -> str:
    if name is None or is_secret_name(name):
        return ""
    try:
        if isinstance(value, str):
            return value
        if isinstance(value, dict | list | tuple):
            return "\n".join(last_user_text(value)) or json.dumps(_Copier().copy(value), ensure_ascii=False)
    except Exception:  # noqa: BLE001 - an unbound proxy, a collection of the application's own making
        return ""
    return ""


class _Copier:
    """Copies JSON-like values, without what their keys name as secret, while a preview has room."""

    def __init__(self) -> None:
        self._room = KEPT_TEXT_CHARS

    def copy(self, value: Any, depth: int = 0) -> Any:
        """Return what may be shown of a value."""
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

    def _copy_mapping(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        copied: dict[str, Any] = {}
        for key, each in value.items():
            name = to_text(key)[:_MAX_KEY_CHARS]
            copied[name] = _SECRET if is_secret_name(name) else self.copy(each, depth + 1)
            if self._room < 0:
                break
        return copied

    def _copy_list(self, value: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        copied: list[Any] = []
        for each in value:
            copied.append(self.copy(each, depth + 1))
            if self._room < 0:
                break
        return copied

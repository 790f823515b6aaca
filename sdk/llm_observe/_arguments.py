"""Makes the input preview of an observed function from its arguments, without those named as a secret.

Of chat messages, the preview shows the user's newest; other lists and mappings appear much as in JSON. An
object is not shown, and inside a list or mapping only as its type: its repr may hold a key. A number is not
shown either: it is taken for a setting.
"""

from __future__ import annotations

import inspect
from itertools import chain, repeat
from typing import TYPE_CHECKING

from llm_observe._collections import follow, show
from llm_observe._providers.openai import last_user_text
from llm_observe._redaction.names import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Callable


class Arguments:
    """The names of a function's parameters, which decide whether an argument may be shown."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._names, self._rest = _positional_names(function)

    def preview(self, positional: tuple[object, ...], named: dict[str, object]) -> tuple[str, ...]:
        """Return the texts to show: references to text, and copies of everything else."""
        count = len(self._names)
        rest = (("" if hidden else value) for value, hidden in follow(positional[count:]))
        pairs = chain(
            zip(self._names, positional, strict=False),
            zip(repeat(self._rest), rest, strict=False),
            named.items(),
        )
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
            return "\n".join(last_user_text(value)) or show(value)
    except Exception:  # noqa: BLE001 - an unbound proxy, or the application's own kind of collection
        return ""
    return ""

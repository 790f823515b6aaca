"""The events of a stream, read as plain JSON: a vendor's own models cost ten times as much time each."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Parsed:
    """A JSON object; its members are attributes, and what it lacks is None, as in the vendors' models."""

    def __init__(self, members: dict[str, Any]) -> None:
        self.__dict__ = members

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def parsed(value: Any, rename: Callable[[str], str] = str) -> Any:
    """Return a JSON value with attributes for members, all the way down, each named as ``rename`` says."""
    if isinstance(value, dict):
        return Parsed({rename(name): parsed(member, rename) for name, member in value.items()})
    if isinstance(value, list):
        return [parsed(entry, rename) for entry in value]
    return value


@functools.lru_cache(maxsize=256)
def snake_case(name: str) -> str:
    """Return how Google's Python types call a member of its JSON."""
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


class ReadsPlainly:
    """The one method of OpenAI's and Anthropic's clients that makes an event of JSON."""

    def _process_response_data(self, *, data: Any, cast_to: Any, response: Any) -> Any:
        del cast_to, response
        return parsed(data)


@functools.cache
def reading_plainly(kind: Any) -> Any:
    """Return a subclass of an OpenAI or Anthropic client class whose streams yield Parsed events.

    Should a client of another version not ask this method, its events are the vendor's models, and all the
    same to their readers.
    """
    return type(kind.__name__, (ReadsPlainly, kind), {"__module__": kind.__module__})

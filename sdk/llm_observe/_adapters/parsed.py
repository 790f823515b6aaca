"""The events of a stream, read as plain JSON: a vendor's own models cost ten times as much time each."""

from __future__ import annotations

import functools
import re
from typing import Any


class Parsed:
    """A JSON object; its members are attributes, and what it lacks is None, as in the vendors' models."""

    def __init__(self, members: dict[str, Any]) -> None:
        self.__dict__ = members

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def parsed(value: Any) -> Any:
    """Return a JSON value with attributes for members, all the way down."""
    if isinstance(value, dict):
        return Parsed({name: parsed(member) for name, member in value.items()})
    if isinstance(value, list):
        return [parsed(entry) for entry in value]
    return value


def parsed_in_snake_case(value: Any) -> Any:
    """As parsed(); members are named as Google's Python types name them."""
    if isinstance(value, dict):
        return Parsed({_snake_case(name): parsed_in_snake_case(member) for name, member in value.items()})
    if isinstance(value, list):
        return [parsed_in_snake_case(entry) for entry in value]
    return value


@functools.lru_cache(maxsize=256)
def _snake_case(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


class _ReadsPlainly:
    def _process_response_data(self, *, data: Any, cast_to: Any, response: Any) -> Any:
        del cast_to, response
        return parsed(data)


def reading_plainly(kind: type) -> Any:
    """Return a subclass of an OpenAI or Anthropic client class whose streams yield Parsed events.

    Should a client of another version not ask this method, its events are the vendor's models, and all the
    same to their readers.
    """
    return type(kind.__name__, (_ReadsPlainly, kind), {"__module__": kind.__module__})

"""Reads the events of a stream as plain JSON: building a vendor's model of each takes ten times as long."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._vendor import VendorClass, VendorObject


class JsonObject:
    """A JSON object with its members as attributes. A missing member is None, as in the vendors' models."""

    def __init__(self, members: dict[str, object]) -> None:
        self.__dict__ = members

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def to_json_objects(value: object, rename: Callable[[str], str] = str) -> VendorObject:
    """Return a JSON value with every mapping in it as a JsonObject; ``rename`` maps the members' names."""
    if isinstance(value, dict):
        return JsonObject({rename(name): to_json_objects(member, rename) for name, member in value.items()})
    if isinstance(value, list):
        return [to_json_objects(entry, rename) for entry in value]
    return value


@functools.lru_cache(maxsize=256)
def snake_case(name: str) -> str:
    """Return the name that Google's Python types give a member of its JSON."""
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


class RawEventsMixin:
    """Overrides the one method of OpenAI's and Anthropic's clients that turns JSON into an event."""

    def _process_response_data(self, *, data: object, cast_to: object, response: object) -> VendorObject:
        del cast_to, response
        return to_json_objects(data)


@functools.cache
def with_raw_events(client_class: VendorClass) -> VendorClass:
    """Return a subclass of an OpenAI or Anthropic client class whose streams yield JsonObjects.

    A client of another version may not call the overridden method. Its events are then the vendor's models,
    which the readers accept as well.
    """
    members = {"__module__": client_class.__module__}
    return type(client_class.__name__, (RawEventsMixin, client_class), members)

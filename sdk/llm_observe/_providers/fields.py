"""The fields of a part of an answer, whether a vendor's model declares them or not, or of plain JSON."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llm_observe._vendor import VendorClass, VendorObject

_NONE: Final[Mapping[str, VendorObject]] = {}
_MAX_CONTENT_BYTES: Final = 256 * 1024
"""Longest body that is read on the application's thread."""
_VENDORS: Final = frozenset({"openai", "anthropic", "google"})
"""The packages of the vendors' models."""


def fields_of(part: VendorObject) -> Mapping[str, VendorObject]:
    """Return the fields of a model or a JSON object; none of anything else."""
    if isinstance(part, dict):
        return part
    declared = getattr(part, "__dict__", _NONE)
    undeclared = getattr(part, "__pydantic_extra__", None)
    return {**declared, **undeclared} if undeclared else declared


def both_of(part: VendorObject) -> tuple[Mapping[str, VendorObject], Mapping[str, VendorObject]]:
    """Return fields_of() and undeclared_of() in one step."""
    if isinstance(part, dict):
        return part, part
    declared = getattr(part, "__dict__", _NONE)
    undeclared = getattr(part, "__pydantic_extra__", None)
    if undeclared:
        return {**declared, **undeclared}, undeclared
    return declared, declared if type(part) is JsonObject else _NONE


def undeclared_of(part: VendorObject) -> Mapping[str, VendorObject]:
    """Return the fields that a model does not declare, or all of a JSON object. Faster than fields_of()."""
    undeclared = getattr(part, "__pydantic_extra__", None)
    return undeclared or (vars(part) if type(part) is JsonObject else _NONE)


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


def with_attributes(answer: VendorObject) -> VendorObject:
    """Return an answer or chunk of an application's own class, with attributes like a vendor's model."""
    return to_json_objects(dict(fields_of(answer)))


@lru_cache(maxsize=256)  # bounded: an application may create classes all the time
def is_own(kind: VendorClass) -> bool:
    """Return whether a class of answers is no vendor's.

    An application may ask a client's ``post()`` for plain JSON, or for a model of its own with a few fields.
    """
    if issubclass(kind, dict):
        return True
    return hasattr(kind, "model_fields") and kind.__module__.partition(".")[0] not in _VENDORS


@lru_cache(maxsize=256)
def snake_case(name: str) -> str:
    """Return the name that Google's Python types give a member of its JSON."""
    return re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)


def to_plain_json(value: object) -> object:
    """Return a JSON value with every JsonObject in it as a mapping."""
    if isinstance(value, JsonObject):
        return {name: to_plain_json(member) for name, member in vars(value).items()}
    return [to_plain_json(entry) for entry in value] if isinstance(value, list) else value


def parse_json_object(text: bytes | str, rename: Callable[[str], str] = str) -> VendorObject:
    """Return the JSON object that a text is; None if it is anything else. ``rename`` as above."""
    try:
        value = json.loads(text)
        return to_json_objects(value, rename) if isinstance(value, dict) else None
    except (ValueError, RecursionError):
        return None


def model_of(part: VendorObject) -> VendorObject:
    """Return a part with its members as attributes; a client leaves that of an unknown event as JSON."""
    return to_json_objects(part) if isinstance(part, dict) else part


def answer_of(answer: VendorObject) -> VendorObject:
    """Return the JSON object in an answer that is no vendor's model; None if there is none.

    An application may ask a client's ``post()`` for text, a mapping or the HTTP response itself.
    """
    if isinstance(answer, dict):
        return to_json_objects(answer)
    if isinstance(answer, str | bytes):
        return parse_json_object(answer)
    content = attribute(answer, "content") if attribute(answer, "is_closed") else None
    return parse_json_object(content) if isinstance(content, bytes) else None


def body_of(options: VendorObject) -> dict[str, object] | None:
    """Return the members of a request's JSON, those of ``extra_body`` included; None if it has no body."""
    body, extra = options.json_data, getattr(options, "extra_json", None)
    if extra:
        body = {**body, **extra} if isinstance(body, dict) else dict(extra)
    elif body is None and (content := getattr(options, "content", None)) is not None:
        body = _members_of(content)
    return body if isinstance(body, dict) else None


def _members_of(content: VendorObject) -> dict[str, object]:
    """Return the members of a body that the application has encoded; none if it cannot be read in passing."""
    if not isinstance(content, bytes | bytearray | str) or len(content) > _MAX_CONTENT_BYTES:
        return {}
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def attribute(owner: VendorObject, name: str) -> VendorObject:
    """Return an attribute, as of an error; None if it is missing or cannot be read."""
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - a property of the application's own error may raise anything
        return None

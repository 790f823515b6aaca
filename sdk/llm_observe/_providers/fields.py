"""The fields of a part of an answer, whether a vendor's model declares them or not, or of plain JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_observe._vendor import VendorObject

_NONE: Final[Mapping[str, VendorObject]] = {}


def fields_of(part: VendorObject) -> Mapping[str, VendorObject]:
    """Return the fields of a model or a JSON object; none of anything else."""
    if isinstance(part, dict):
        return part
    declared = getattr(part, "__dict__", _NONE)
    undeclared = getattr(part, "__pydantic_extra__", None)
    return {**declared, **undeclared} if undeclared else declared


class JsonFields(dict[str, "VendorObject"]):
    """A JSON object whose members are read like the attributes of a vendor's model; None where missing."""

    def __getattr__(self, name: str) -> VendorObject:
        return self.get(name)


def parse_fields(text: bytes | str) -> JsonFields | None:
    """Return the JSON object that a text is; None if it is anything else."""
    try:
        value = json.loads(text, object_hook=JsonFields)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, JsonFields) else None


def answer_of(answer: VendorObject) -> VendorObject:
    """Return the JSON object in an answer that is no vendor's model; None if there is none.

    An application may ask a client's ``post()`` for text, a mapping or the HTTP response itself.
    """
    if isinstance(answer, dict):
        return parse_fields(json.dumps(answer, default=str))
    if isinstance(answer, str | bytes):
        return parse_fields(answer)
    content = attribute(answer, "content") if attribute(answer, "is_closed") else None
    return parse_fields(content) if isinstance(content, bytes) else None


def attribute(owner: VendorObject, name: str) -> VendorObject:
    """Return an attribute, as of an error; None if it is missing or cannot be read."""
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - a property of the application's own error may raise anything
        return None

"""Reads fields of vendors' models that may be missing. getattr() takes microseconds for such a field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llm_observe._vendor import VendorObject

_NO_FIELDS: Final[dict[str, object]] = {}


def read_field(model: VendorObject, name: str) -> VendorObject:
    """Return a field of a pydantic model or of a JsonObject, declared or not; None if it is missing."""
    fields = getattr(model, "__dict__", _NO_FIELDS)
    if name in fields:
        return fields[name]
    undeclared = getattr(model, "__pydantic_extra__", None)
    return undeclared.get(name) if undeclared else None

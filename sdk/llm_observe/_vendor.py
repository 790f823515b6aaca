"""Types for what belongs to a vendor's package. Imported for type checking only."""

from __future__ import annotations

from typing import Any, TypeAlias

VendorObject: TypeAlias = Any
"""A client, request, response, stream event or a part of one: the vendors' packages are optional, and their
objects share no type."""
VendorClass: TypeAlias = Any
"""A class whose methods we call or replace. Not ``type[...]``, which mypy takes for unhashable and
without these methods."""

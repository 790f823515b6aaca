"""Enums of the protos as the words that stand in the database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper

_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


def words_of(enum: _EnumTypeWrapper[Any]) -> tuple[str, ...]:
    """Return an enum's words by number: ``OUTCOME_SUCCESS`` is ``success``, ``OUTCOME_UNSPECIFIED`` is ''."""
    prefix = _CAPITAL.sub("_", enum.DESCRIPTOR.name).upper() + "_"
    words = {value.number: value.name.removeprefix(prefix).lower() for value in enum.DESCRIPTOR.values}
    return tuple("" if words[number] == "unspecified" else words[number] for number in range(len(words)))

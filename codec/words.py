"""The words of enums, as columns hold them: taken from the protos, never written a second time."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from google.protobuf.descriptor import EnumDescriptor


class Enum(Protocol):
    """A generated enum, such as ``llm_observe.v1.log_pb2.Outcome``."""

    @property
    def DESCRIPTOR(self) -> EnumDescriptor:  # noqa: N802 - protobuf's name
        """The enum as the proto defines it."""
        ...

    def __hash__(self) -> int: ...


@cache
def words_of(enum: Enum) -> tuple[str, ...]:
    """Return an enum's words by number: ``("", "success", "error", "cancelled")`` of Outcome.

    The unspecified value is the empty word, as are numbers that no value has.
    """
    names = {number: value.name for number, value in enum.DESCRIPTOR.values_by_number.items()}
    prefix = names[0].removesuffix("UNSPECIFIED")
    words = (names.get(number, names[0]).removeprefix(prefix).lower() for number in range(max(names) + 1))
    return tuple(word if word != "unspecified" else "" for word in words)

"""Parameters of reports: what a value may be, and how its text is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["string", "integer", "number"]
Value: TypeAlias = str | int | float

MAX_TEXT_CHARS: Final = 200


class ParameterInvalid(ValueError):
    """A parameter is unknown, or its value breaks a rule.

    Args:
        name: The parameter.
        problem: What is wrong, without the value itself.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A value that a report takes.

    A parameter with ``expressions`` is a choice between pieces of SQL. Any other is bound to the statement
    and never becomes part of its text.
    """

    name: str
    kind: Kind
    default: str
    description: str
    expressions: Mapping[str, str] | None = None
    """SQL by allowed value."""
    bounds: tuple[float, float] | None = None
    """The least and the greatest number."""

    @property
    def allowed_values(self) -> tuple[str, ...]:
        """Return the values that it may have; empty where any of its type will do."""
        return tuple(self.expressions or ())

    def parse(self, text: str) -> Value:
        """Return the value that a text means.

        Raises:
            ParameterInvalid: The text is none of the allowed values, of another type, or out of bounds.
        """
        if self.expressions is not None:
            if text not in self.expressions:
                raise ParameterInvalid(self.name, f"must be one of {', '.join(self.expressions)}")
            return text
        if self.kind == "string":
            return self._check_text(text)
        return self._check_bounds(self._parse_number(text))

    def _check_text(self, text: str) -> str:
        if len(text) > MAX_TEXT_CHARS:
            raise ParameterInvalid(self.name, f"must be at most {MAX_TEXT_CHARS} characters")
        if "\x00" in text:
            raise ParameterInvalid(self.name, "must not contain NUL")
        return text

    def _parse_number(self, text: str) -> int | float:
        kind, noun = (int, "a whole number") if self.kind == "integer" else (float, "a number")
        try:
            # int() takes at most 4,300 digits, and float() as many as there are.
            number = kind(self._check_text(text))
        except ValueError:
            raise ParameterInvalid(self.name, f"must be {noun}") from None
        if not math.isfinite(number):
            raise ParameterInvalid(self.name, f"must be {noun}")
        return number

    def _check_bounds(self, number: float) -> int | float:
        if self.bounds is not None and not self.bounds[0] <= number <= self.bounds[1]:
            low, high = self.bounds
            raise ParameterInvalid(self.name, f"must be from {low:g} to {high:g}")
        return number

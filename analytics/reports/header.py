"""Reads the header of a report's .sql file: comments before the statement.

::

    -- title: Tokens per second
    -- answers: How fast models write.
    -- parameter: limit integer = 50 (1 to 1000) | Groups to show.
    -- parameter: tokens choice = input (input: input_token_count, output: output_token_count) |
    --     Which tokens are counted.
    -- parameter: dimension dimension = model | What calls are grouped by.
    -- column: request_count BIGINT | Calls.

A choice maps each allowed value to SQL; a dimension is a choice of analytics.reports.dimensions. In the
statement, ``{name}`` is where a choice's SQL goes, and ``$name`` where another parameter is bound. Lines that
begin with ``--`` and four spaces continue the one before.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from analytics.reports.dimensions import DIMENSIONS, METADATA_KEY
from analytics.reports.parameters import Kind, Parameter

_CONTINUED: Final = re.compile(r"\n--    +")
_LINE: Final = re.compile(r"-- (\w+): (.+)")
_PARAMETER: Final = re.compile(
    r"(?P<name>\w+) (?P<kind>string|integer|number|choice|dimension) = ?(?P<default>[^ (|]*)"
    r"(?: \((?P<options>[^|]+)\))? \| (?P<description>.+)"
)
_COLUMN: Final = re.compile(r"(?P<name>\w+) (?P<type>[A-Z][A-Z ]*[A-Z]) \| (?P<description>.+)")
_BOUNDS: Final = re.compile(r"(\S+) to (\S+)")
_KINDS: Final[dict[str, Kind]] = {"integer": "integer", "number": "number"}

_METADATA_PARAMETER: Final = Parameter(
    name=METADATA_KEY,
    kind="string",
    default="",
    description="With the dimension metadata: the key whose values calls are grouped by.",
)


class Column(NamedTuple):
    """A column of a report's answer."""

    name: str
    type: str
    """In DuckDB's words."""
    description: str


class Header(NamedTuple):
    """What a report says of itself."""

    title: str
    answers: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]


def split(text: str) -> tuple[Header, str]:
    """Return a file's header and its statement.

    Raises:
        ValueError: A line of the header cannot be read, or one is missing.
    """
    lines = text.splitlines()
    length = next(place for place, line in enumerate(lines) if not line.startswith("--"))
    comments = _CONTINUED.sub(" ", "\n".join(lines[:length])).splitlines()
    fields = [_match(_LINE, line).groups() for line in comments]
    single = {name: value for name, value in fields if name in {"title", "answers"}}
    parameters = [parsed for name, value in fields if name == "parameter" for parsed in _parameters(value)]
    columns = [Column(**_match(_COLUMN, value).groupdict()) for name, value in fields if name == "column"]
    read = len(single) + len(columns) + sum(name == "parameter" for name, _ in fields)
    if len(single) < 2 or not columns or read != len(fields):  # noqa: PLR2004 - title and answers
        raise ValueError("the header must have a title, a line `answers` and columns, and nothing unknown")
    header = Header(single["title"], single["answers"], tuple(parameters), tuple(columns))
    return header, "\n".join(lines[length:]).strip()


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"cannot read the header's line: {text}")
    return found


def _parameters(text: str) -> list[Parameter]:
    name, kind, default, options, description = _match(_PARAMETER, text).groups()
    if kind == "dimension":
        made = Parameter(
            name=name, kind="string", default=default, description=description, expressions=DIMENSIONS
        )
        return [made, _METADATA_PARAMETER]
    if kind == "choice":
        expressions = dict(option.split(": ", 1) for option in options.split(", "))
        return [
            Parameter(
                name=name, kind="string", default=default, description=description, expressions=expressions
            )
        ]
    bounds = None
    if options:
        low, high = _match(_BOUNDS, options).groups()
        bounds, description = (float(low), float(high)), f"{description} From {low} to {high}."
    return [
        Parameter(
            name=name,
            kind=_KINDS.get(kind, "string"),
            default=default,
            description=description,
            bounds=bounds,
        )
    ]

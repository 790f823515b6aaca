"""Loads named queries from the .sql file beside a module; parameters are named, too.

A line ``-- use: name`` is replaced by the text under ``-- part: name``, in the same file or in parts.sql,
which several queries share. A line
``-- each list: template`` is replaced by the template for each item of that list of storage.columns, with
commas in between: ``-- each rollup_sum: sum({name})``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.columns import LISTS

_PARTS = Path(__file__).with_name("parts.sql")
_HEADING = re.compile(r"^-- (name|part): (\w+)$", re.MULTILINE)
_USE = re.compile(r"^ *-- use: (\w+)$", re.MULTILINE)
_EACH = re.compile(r"^ *-- each (\w+): (.+)$", re.MULTILINE)
_WORDS = ("name", "type", "value", "condition", "known", "packed")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Query:
    """SQL with $n placeholders and the names that stand for them, in order."""

    name: str
    text: str
    parameters: tuple[str, ...]

    def args(self, **values: Any) -> tuple[Any, ...]:
        """Return the values in the order of the placeholders.

        Raises:
            TypeError: A parameter is missing or not known to the query.
        """
        if values.keys() != set(self.parameters):
            wrong = sorted(values.keys() ^ set(self.parameters))
            raise TypeError(f"{self.name}: missing or unknown parameters: {', '.join(wrong)}")
        return tuple(values[name] for name in self.parameters)


def load_queries(module_file: str) -> dict[str, Query]:
    """Return the queries of the .sql file that has the module's stem. No ``:word`` may stand in a literal."""
    sections = [*_read(_PARTS), *_read(Path(module_file).with_suffix(".sql"))]
    shared = {name: body.strip() for kind, name, body in sections if kind == "part"}
    return {
        name: _parse(name, _EACH.sub(_expand, _put_in(body, shared)))
        for kind, name, body in sections
        if kind == "name"
    }


def _read(path: Path) -> list[tuple[str, str, str]]:
    """Return the kind, name and body of each section of a file."""
    parts = _HEADING.split(path.read_text("utf-8"))[1:]
    return list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))


def _put_in(body: str, shared: dict[str, str]) -> str:
    """Replace each use of a part, those of parts too."""
    while _USE.search(body):
        body = _USE.sub(lambda use: shared[use.group(1)], body)
    return body


def _expand(each: re.Match[str]) -> str:
    return ", ".join(each.group(2).format(**_words_of(item)) for item in LISTS[each.group(1)])


def _words_of(item: object) -> dict[str, object]:
    return {word: getattr(item, word, "") for word in _WORDS}


def _parse(name: str, body: str) -> Query:
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match.group(1) not in names:
            names.append(match.group(1))
        return f"${names.index(match.group(1)) + 1}"

    without_comments = re.sub(r"^--.*$", "", body, flags=re.MULTILINE)
    return Query(name, _PARAMETER.sub(number, without_comments).strip(), tuple(names))

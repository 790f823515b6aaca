"""The reports by name, and the statement that asks each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from analytics.reports import header
from analytics.reports.parameters import ParameterInvalid, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analytics.reports.header import Column
    from analytics.reports.parameters import Parameter
    from analytics.windows import Window

    Bound: TypeAlias = Value | datetime

_FOLDER: Final = Path(__file__).with_name("sql")
_BOUND: Final = re.compile(r"\$(\w+)")
_WORD: Final = re.compile(r"\w+")


class Statement(NamedTuple):
    """SQL and the values of its parameters, which stand in it as ``$name``."""

    sql: str
    parameters: dict[str, Bound]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A question that is ready to be asked."""

    name: str
    title: str
    answers: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    template: str
    """The statement, with ``{name}`` for each choice."""

    def statement(self, values: Mapping[str, str], window: Window) -> Statement:
        """Return the statement for a window and the values that are given as text; others have their default.

        Raises:
            ParameterInvalid: A value is wrong, or the report has no such parameter.
        """
        known = {parameter.name for parameter in self.parameters}
        for name in values.keys() - known:
            raise ParameterInvalid(
                name, f"is no parameter of this report, which has {', '.join(sorted(known))}"
            )
        parsed: dict[str, Bound] = {**_times(window)}
        sql = self.template
        for parameter in self.parameters:
            value = parameter.parse(values.get(parameter.name, parameter.default))
            if parameter.expressions is None:
                parsed[parameter.name] = value
            else:
                sql = sql.replace(f"{{{parameter.name}}}", parameter.expressions[str(value)])
        return Statement(sql, {name: parsed[name] for name in dict.fromkeys(_BOUND.findall(sql))})

    def words(self) -> frozenset[str]:
        """Return every word that any of its statements has, among them the columns that they read."""
        expressions = [sql for parameter in self.parameters for sql in (parameter.expressions or {}).values()]
        return frozenset(_WORD.findall(" ".join((self.template, *expressions))))


def _times(window: Window) -> dict[str, datetime | float]:
    """Return what every statement may name: instants of the window, and of the month in which it ends."""
    last = window.end - timedelta(microseconds=1)
    month = last.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    next_month = (month + timedelta(days=32)).replace(day=1)
    seen = window.end - max(month, window.start)
    return {
        "window_start": window.start,
        "window_middle": window.start + (window.end - window.start) / 2,
        "window_end": window.end,
        "month_start": month,
        "month_share": seen / (next_month - month),
    }


@cache
def reports() -> Mapping[str, Report]:
    """Return every report by name, in order.

    Raises:
        ValueError: A file's header is wrong.
    """
    return {path.stem: _load(path) for path in sorted(_FOLDER.glob("*.sql"))}


def _load(path: Path) -> Report:
    try:
        found, template = header.split(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    return Report(
        name=path.stem,
        title=found.title,
        answers=found.answers,
        parameters=found.parameters,
        columns=found.columns,
        template=template,
    )

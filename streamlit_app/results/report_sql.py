"""The SQL of a report with its values in place, so that it can be changed and run as a statement."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from analytics.reports.catalogue import reports
from analytics.reports.parameters import ParameterInvalid
from analytics.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analytics.reports.catalogue import Bound

_BOUND: Final = re.compile(r"\$(\w+)")


def report_sql(name: str, values: Mapping[str, str], start: datetime, end: datetime) -> str:
    """Return the statement; empty for a report that this version does not know, or values that it refuses."""
    report = reports().get(name)
    if report is None:
        return ""
    try:
        statement = report.statement(values, Window(start, end))
    except ParameterInvalid:
        return ""
    bound = statement.parameters
    return _BOUND.sub(lambda found: _write(bound[found[1]]), statement.sql)


def _write(value: Bound) -> str:
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00'"
    return f"'{value.replace(chr(39), chr(39) * 2)}'" if isinstance(value, str) else str(value)

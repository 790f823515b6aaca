"""Makes docs/sql/: for each engine, its view of the lake and all reports in its SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analytics.engines.dialects import DIALECTS, translate
from analytics.engines.views import Logs, view
from analytics.reports.catalogue import reports
from analytics.windows import Window

if TYPE_CHECKING:
    from analytics.engines.dialects import Dialect

FOLDER: Final = Path(__file__).parents[2] / "docs" / "sql"
_LOGS: Final = Logs("/lake", "default", date(2026, 11, 1), date(2026, 12, 1))
_INTRODUCTION: Final = """\
-- Every report in the SQL of {engine}. Made by `make docs` from analytics/reports/sql; do not edit.
-- How to use it, and what was tried: docs/scaling.md. What columns and parameters mean: docs/reports.md.
--
-- In the view, change the lake, the project and the UTC days. In a report, change values that are marked
-- with a parameter's name, and the expression AS value, which is the dimension. The marks window_middle,
-- month_start and month_share follow from the view's days: their middle, the first day of the month in which
-- they end, and the share of that month that they hold.
"""


def scripts() -> dict[str, str]:
    """Return each file's text by its name."""
    return {f"{dialect.name}.sql": script(dialect, _LOGS) for dialect in DIALECTS}


def script(dialect: Dialect, logs: Logs) -> str:
    """Return the statements for an engine: its view, then each report with its defaults."""
    start, end = (datetime.combine(day, time(), UTC) for day in (logs.start, logs.end))
    statements = [
        f"-- {report.title} ({name})\n{translate(report.statement({}, Window(start, end)), dialect)};"
        for name, report in reports().items()
    ]
    introduction = _INTRODUCTION.format(engine=dialect.title)
    return "\n\n".join([introduction + f"\n{view(dialect.name, logs)};", *statements]) + "\n"


def write() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in scripts().items():
        (FOLDER / name).write_text(text, "utf-8")

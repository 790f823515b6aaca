"""Writes docs/reports.md from the catalogue: ``python -m analytics.reports.document``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from analytics.reports.catalogue import reports
from analytics.reports.dimensions import DIMENSIONS
from analytics.reports.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analytics.reports.catalogue import Report
    from analytics.reports.parameters import Parameter

PATH: Final = Path(__file__).parents[2] / "docs" / "reports.md"
_INTRODUCTION: Final = """\
# Reports and SQL

Made by `make docs` from `analytics/reports/sql`; do not edit. Other engines: [scaling.md](scaling.md).

```sh
llm-observe report                                                  # what there is
llm-observe report latency-percentiles --set dimension=user --from 2026-11-01
llm-observe report cost-by-day --format csv --output cost.csv       # table, csv, json or parquet
llm-observe sql "SELECT model, count(*) FROM logs GROUP BY ALL"     # one SELECT of DuckDB's SQL
```

They ask the running server (`LLM_OBSERVE_ENDPOINT`, `LLM_OBSERVE_API_KEY` with the role `read`) about the
key's project. The time range is the last 30 days unless `--from` and `--to` say otherwise, in UTC, and
holds calls up to this moment: finished hours are read from Parquet files, later and changed ones from the
database, each call once. A number that is not known is empty, never 0. `ReportService` answers the same
over gRPC, as an Arrow IPC stream. See [decision 20](decisions/0020-reports.md).

The page Analytics of the app shows reports with charts, and has an editor for SQL. Answers can be saved as
CSV or Parquet.

SQL runs in a process that can read this table and nothing else, with limits on memory and time; an answer
has at most 10,000 rows. An error says which rule or limit it was.
"""


def document() -> str:
    """Return the page."""
    return "\n".join((_INTRODUCTION, *map(_section, reports().values()), _dimensions(), *_tables()))


def _section(report: Report) -> str:
    lines = [f"## {report.title}", "", f"`{report.name}`: {report.answers}", ""]
    if report.parameters:
        rows = [(f"`{each.name}`", _default(each), _meaning(each)) for each in report.parameters]
        lines += [_table(("parameter", "default", "meaning"), rows), ""]
    rows = [(f"`{each.name}`", each.type, each.description) for each in report.columns]
    return "\n".join([*lines, _table(("column", "type", "meaning"), rows), ""])


def _default(parameter: Parameter) -> str:
    return f"`{parameter.default}`" if parameter.default else ""


def _meaning(parameter: Parameter) -> str:
    if parameter.expressions is DIMENSIONS:
        return f"{parameter.description} Any [dimension](#dimensions)."
    values = ", ".join(f"`{value}`" for value in parameter.allowed_values)
    return f"{parameter.description} One of {values}." if values else parameter.description


def _dimensions() -> str:
    rows = [(f"`{name}`", f"`{sql}`") for name, sql in DIMENSIONS.items()]
    return "\n".join(["## Dimensions", "", _table(("dimension", "what calls are grouped by"), rows), ""])


def _tables() -> Iterable[str]:
    for table in TABLES:
        rows = [(f"`{each.name}`", each.type, each.description) for each in table.columns]
        yield "\n".join(
            [
                f"## The table {table.name}",
                "",
                table.description,
                "",
                _table(("column", "type", "meaning"), rows),
            ]
        )
    yield ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    PATH.write_text(document(), "utf-8")

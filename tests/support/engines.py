"""A lake for other engines, the questions that all must answer alike, and the comparison of answers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from analytics.engines.views import Logs
from analytics.lake.layout import hour_file
from analytics.lake.schema import SCHEMA
from analytics.reports.catalogue import Report, Statement, reports
from analytics.reports.dimensions import DIMENSIONS
from analytics.windows import Window
from tests.support.history import START, make_row, random_rows

WINDOW = Window(START + timedelta(days=1), START + timedelta(days=20))
"""All but the first and the last day of the lake's logs."""
PROJECT, LARGEST = "default", "largest"
"""A project of usual logs, and one of a few with the largest counts that a log may have."""

_HOSTILE = ("o'clock", 'a"b', "back\\slash", "line\nbreak", "$limit {limit} :limit ?", "ü", "%_")
_MESSAGES = (
    "request 17 took 3.5 s",
    "no such key: req_0123456789abcdef",
    "user 0b9bb1f0-9a3f-4b7b-9a44-d2a0ff1fd9a1 at 0xDEADbeef",
    "two lines\nof 12 'quoted' \\d+ and $1",
    "größer als 10.000.5",
)


class Case(NamedTuple):
    """A report with some parameters."""

    name: str
    parameters: dict[str, str]

    def statement(self, window: Window = WINDOW) -> Statement:
        return reports()[self.name].statement(self.parameters, window)

    def __str__(self) -> str:
        return ",".join([self.name, *(f"{name}={value!a}" for name, value in self.parameters.items())])


DEFAULTS = [Case(name, {}) for name in reports()]


def _choices(report: Report) -> Iterator[dict[str, str]]:
    """Yield all choices but dimensions, of which one, and smallest numbers."""
    for parameter in report.parameters:
        if parameter.expressions is DIMENSIONS:
            yield {"dimension": "metadata", "metadata_key": "tenant"}
        elif parameter.expressions is not None:
            yield from ({parameter.name: value} for value in parameter.allowed_values)
        elif parameter.name in {"limit", "examples", "bin_tokens", "min_attempts"}:
            yield {parameter.name: "1"}


CHOICES = [Case(name, each) for name, report in reports().items() for each in _choices(report)]
SOME_DIMENSIONS = [
    Case(name, {"dimension": dimension})
    for name, report in reports().items()
    if "dimension" in {parameter.name for parameter in report.parameters}
    for dimension in ("all", "user", "session", "date", "streamed", "error_code")
]
EVERY_DIMENSION = [
    Case("error-rates", {"dimension": name, "metadata_key": "tenant", "limit": "10000"})
    for name in DIMENSIONS
]
EVERY_TEXT = [Case("cost", {"dimension": "metadata", "metadata_key": key}) for key in _HOSTILE]


def write_lake(folder: Path) -> None:
    """Write both projects' files, as the exporter lays them out."""
    _write(folder, PROJECT, _usual_rows())
    values = {name: 2**63 - 1 for name in SCHEMA.names if name.endswith(("token_count", "_usd"))}
    values |= {"at_s": 90_000, "streamed": True, "latency_us": 7, "time_to_first_token_us": 3}
    largest = [make_row(number, **values, user_id=user) for number, user in enumerate(("ann", "ann", "bob"))]
    _write(folder, LARGEST, [*largest, make_row(9, **values, outcome="cancelled", user_id="cid")])


def _usual_rows() -> list[dict[str, Any]]:
    chance = random.Random(1)
    hours = [START + timedelta(days=day, hours=chance.randrange(24)) for day in range(21)]  # few files
    rows = random_rows(1500)
    for row in rows:
        start = chance.choice(hours) + timedelta(microseconds=chance.randrange(3_600_000_000))
        row.update(start_time=start, date=start.date(), hour=start.hour)
        row["error_code"] = "rate_limited" if row["outcome"] == "error" else ""
        row["total_token_count"], row["reasoning_token_count"] = chance.choice(
            ((1, None), (None, 5), (900, 80))
        )
        row["error_message"] = chance.choice(_MESSAGES) if row["outcome"] == "error" else ""
        row["finish_reason"] = chance.choice(("", "stop", "length"))
        row["input_preview"] = chance.choice(_HOSTILE)
        row["tags"] = chance.choice((None, [], ["red", "o'clock"]))
        if row["input_token_count"] is not None and row["cost_nano_usd"] is not None:  # as a price list says
            cached = row["cache_read_token_count"] = chance.choice((None, 0, row["input_token_count"] // 2))
            row["cost_nano_usd"] = 10 * row["input_token_count"] - 9 * (cached or 0)
            row["cost_nano_usd"] += 30 * (row["output_token_count"] or 0)
    storm = [make_row(number, outcome="error", at_s=90_007, retry_count=3) for number in range(2000, 2012)]
    texts = [make_row(3000 + place, at_s=90_000, metadata=[(key, key)]) for place, key in enumerate(_HOSTILE)]
    return [*rows, *storm, *texts]


def _write(folder: Path, project: str, rows: Sequence[dict[str, Any]]) -> None:
    files: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        files.setdefault(hour_file(project, row["start_time"]), []).append(row)
    for name, lines in files.items():
        (folder / name).parent.mkdir(parents=True)
        parquet.write_table(pa.Table.from_pylist(lines, schema=SCHEMA), folder / name, compression="zstd")


def logs_of(lake: Path, project: str) -> Logs:
    """Return which logs the reports of these tests are about."""
    return Logs(str(lake), project, WINDOW.start.date(), WINDOW.end.date())


def expected(lake: Path, project: str, statement: Statement) -> list[tuple[Any, ...]]:
    """Return DuckDB's answer over the lake's files."""
    files = f"{lake}/project_id={project}/date=*/hour=*/logs.parquet"
    hive = "hive_partitioning = true, hive_types = {'date': DATE, 'hour': BIGINT}"
    days = f"start_time >= '{WINDOW.start}' AND start_time < '{WINDOW.end}'"
    with duckdb.connect() as connection:
        connection.execute("SET timezone = 'UTC'")
        connection.execute(f"CREATE VIEW logs AS SELECT * FROM read_parquet('{files}', {hive}) WHERE {days}")
        return rows_of(connection.sql(statement.sql, params=statement.parameters).to_arrow_table())


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return the rows of an answer; times in UTC."""
    return [tuple(map(_plain, row.values())) for row in table.to_pylist()]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def assert_equal(found: Sequence[tuple[Any, ...]], wanted: Sequence[tuple[Any, ...]]) -> None:
    """Compare cell by cell: all exactly, but for DOUBLE, whose sums depend on the order of rows."""
    assert len(found) == len(wanted)
    for line, (row, right) in enumerate(zip(found, wanted, strict=True)):
        assert len(row) == len(right)
        for value, other in zip(row, right, strict=True):
            if isinstance(other, float):
                assert value == pytest.approx(other, rel=1e-6, abs=1e-9), (line, row, right)
            else:
                assert (type(value), value) == (type(other), other), (line, row, right)

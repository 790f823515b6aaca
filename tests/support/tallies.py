"""Every sum that rollups hold, by time and group, from each place that knows it: they must all agree."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from analytics.result_files import unescape_formula
from analytics.sketch import bucket_of
from analytics.windows import MINUTE, floor
from storage.columns import LOG_COLUMNS, ROLLUP_DIMENSIONS, ROLLUP_SUMS, LogRow

Tally: TypeAlias = dict[tuple[datetime, str, str, str, str], tuple[int, ...]]
"""Numbers of ROLLUP_SUMS by start of the tier's stretch of time and by ROLLUP_DIMENSIONS; none are all 0."""

_DIMENSIONS = ", ".join(column.name for column in ROLLUP_DIMENSIONS)
_RAW = f"""
SELECT date_bin(make_interval(mins => $1), start_time, '1970-01-01 00:00+00'), {_DIMENSIONS},
    {", ".join(f"coalesce(sum({each.value}) FILTER (WHERE {each.condition}), 0)" for each in ROLLUP_SUMS)}
FROM logs GROUP BY 1, {_DIMENSIONS}
"""
_ROLLUPS = f"""
SELECT start_time, {_DIMENSIONS}, {", ".join(f"sum({each.name})" for each in ROLLUP_SUMS)}
FROM (
    SELECT start_time, {_DIMENSIONS}, {", ".join(each.name for each in ROLLUP_SUMS)}
    FROM rollups WHERE tier_minutes = $1
    UNION ALL
    SELECT date_bin(make_interval(mins => $1), minute, '1970-01-01 00:00+00'), {_DIMENSIONS},
        {", ".join(each.name for each in ROLLUP_SUMS)}
    FROM rollup_deltas
) AS counted
GROUP BY 1, {_DIMENSIONS}
"""


async def tally_raw_rows(sql: asyncpg.Connection, tier_minutes: int) -> Tally:
    """Return what SQL says of the raw rows."""
    return _to_tally(await sql.fetch(_RAW, tier_minutes))


async def tally_rollups(sql: asyncpg.Connection, tier_minutes: int) -> Tally:
    """Return what a tier says, with what is not merged into it yet."""
    return _to_tally(await sql.fetch(_ROLLUPS, tier_minutes))


def tally_rows(rows: Iterable[LogRow], tier_minutes: int) -> Tally:
    """Return what Python says of rows."""
    sums: dict[Any, list[int]] = {}
    for row in rows:
        start = floor(row.start_time, tier_minutes * MINUTE)
        found = sums.setdefault((start, *_group_of(row)), [0] * len(ROLLUP_SUMS))
        for place, each in enumerate(ROLLUP_SUMS):
            found[place] += each.of(row)
    return {key: tuple(found) for key, found in sums.items()}


def read_csv(text: str) -> list[LogRow]:
    """Return the rows of an export; what follows from other columns is made again."""
    return [_to_row(line) for line in csv.DictReader(io.StringIO(text, newline=""))]


def _group_of(row: LogRow) -> tuple[str, ...]:
    return tuple(getattr(row, column.name) for column in ROLLUP_DIMENSIONS)


def _to_tally(records: Iterable[asyncpg.Record]) -> Tally:
    size = 1 + len(ROLLUP_DIMENSIONS)
    made = {tuple(record)[:size]: tuple(map(int, tuple(record)[size:])) for record in records}
    return {key: sums for key, sums in made.items() if any(sums)}


def _to_row(line: dict[str, str]) -> LogRow:
    values = {c.name: _value(c.type, line[c.name]) for c in LOG_COLUMNS if c.name in line}
    succeeded = values["outcome"] == "success"
    for bucket, duration in (("latency_bucket", "latency_us"), ("ttft_bucket", "time_to_first_token_us")):
        known = succeeded and values[duration] is not None
        values[bucket] = bucket_of(values[duration]) if known else None
    return LogRow(**values, project_id="", minute=floor(values["start_time"], MINUTE))


def _value(kind: str, cell: str) -> Any:
    if kind == "text":
        return unescape_formula(cell)
    if not cell:
        return None
    convert: Any = {
        "uuid": UUID,
        "timestamptz": lambda text: datetime.fromisoformat(text).astimezone(UTC),
        "boolean": lambda text: text == "true",
        "jsonb": unescape_formula,
    }.get(kind, int)
    return convert(cell)

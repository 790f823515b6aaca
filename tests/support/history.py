"""Logs as reports read them, and reports asked in this process."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

import duckdb
import pyarrow as pa

from analytics.lake.schema import SCHEMA
from analytics.reports.catalogue import Statement, reports
from analytics.windows import Window

START = datetime(2026, 11, 2, tzinfo=UTC)
"""A Monday."""
WEEK = Window(START, START + timedelta(days=7))

VIEW_SCHEMA = pa.schema(
    [
        *SCHEMA,
        pa.field("project_id", pa.string()),
        pa.field("date", pa.date32()),
        pa.field("hour", pa.int64()),
    ]
)
"""The columns of logs as reports see them: those of the files, and what the folders say."""

_TEXTS = {field.name: "" for field in VIEW_SCHEMA if field.type == pa.string()}
_USUAL = {
    **_TEXTS,
    "project_id": "default",
    "provider": "openai",
    "model": "m",
    "operation": "chat",
    "environment": "production",
    "outcome": "success",
    "session_id": "s",
    "streamed": False,
}


def make_row(number: int, **fields: Any) -> dict[str, Any]:
    """Return a log; what is not given is unknown. ``at_s`` is when it began, in seconds after START."""
    start = START + timedelta(seconds=fields.pop("at_s", number))
    return {
        **dict.fromkeys(VIEW_SCHEMA.names),
        **_USUAL,
        "log_id": f"{number:032x}",
        "start_time": start,
        "receive_time": start,
        "date": start.date(),
        "hour": start.hour,
        **fields,
    }


def make_rows(**columns: Sequence[Any]) -> list[dict[str, Any]]:
    """Return a log for each item of the columns, which are equally long."""
    lines = zip(*columns.values(), strict=True)
    return [make_row(number, **dict(zip(columns, line, strict=True))) for number, line in enumerate(lines)]


def random_rows(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return logs of three weeks in which everything that may be unknown sometimes is."""
    chance = random.Random(seed)

    def maybe(value: Any) -> Any:
        return value if chance.random() < 0.8 else None

    return [
        make_row(
            number,
            at_s=chance.randrange(21 * 86_400),
            model=f"model-{chance.randrange(4)}",
            provider=chance.choice(("openai", "anthropic")),
            outcome=chance.choice(("success", "success", "error", "cancelled")),
            user_id=chance.choice(("", "ann", "bob", "cid")),
            session_id=f"session-{chance.randrange(count // 10 + 1)}",
            error_message=chance.choice(("", "request 17 failed", "request 234 failed")),
            http_status=maybe(chance.choice((200, 429, 500))),
            retry_count=maybe(chance.randrange(4)),
            latency_us=maybe(chance.randrange(1, 5_000_000)),
            time_to_first_token_us=maybe(chance.randrange(1, 1_000_000)),
            input_token_count=maybe(chance.randrange(3000)),
            output_token_count=maybe(chance.randrange(1000)),
            cache_read_token_count=maybe(chance.randrange(100)),
            cost_nano_usd=maybe(chance.randrange(10_000_000)),
            streamed=chance.random() < 0.5,
            metadata=maybe([("tenant", f"t{chance.randrange(3)}")]),
        )
        for number in range(count)
    ]


class Answer(NamedTuple):
    """What a report answered."""

    columns: list[tuple[str, str]]
    rows: list[tuple[Any, ...]]

    def column(self, name: str) -> list[Any]:
        """Return the values of a column."""
        (place,) = [place for place, (column, _) in enumerate(self.columns) if column == name]
        return [row[place] for row in self.rows]

    def select(self, *names: str) -> list[tuple[Any, ...]]:
        """Return some columns of each row."""
        return list(zip(*map(self.column, names), strict=True)) if self.rows else []


Logs: TypeAlias = Sequence[Mapping[str, Any]] | pa.Table
_DATABASE: Final = duckdb.connect()
"""Opening one for each question takes longer than most answers."""


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return logs for many questions: made once."""
    return pa.Table.from_pylist(list(rows), schema=VIEW_SCHEMA)


def ask(name: str, logs: Logs, window: Window = WEEK, **parameters: object) -> Answer:
    """Ask a report about logs, in this process."""
    texts = {key: str(value) for key, value in parameters.items()}
    return execute(reports()[name].statement(texts, window), logs)


def execute(statement: Statement, logs: Logs) -> Answer:
    """Run a statement over logs, in this process."""
    with _DATABASE.cursor() as connection:
        connection.execute("SET timezone = 'UTC'")
        connection.register("logs", logs if isinstance(logs, pa.Table) else table_of(logs))
        result = connection.sql(statement.sql, params=statement.parameters)
        columns = [(column[0], str(column[1])) for column in result.description]
        found = result.to_arrow_table()  # fetchall() needs pytz for times
        return Answer(columns, [tuple(row.values()) for row in found.to_pylist()])

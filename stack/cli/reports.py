"""`llm-observe report` and `llm-observe sql`: questions about the history of logs."""

from __future__ import annotations

import io
import json
import math
import sys
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

import click
from llm_observe.v1 import report_service_pb2 as pb
from llm_observe.v1.report_service_pb2_grpc import ReportServiceStub

from analytics.result_files import to_csv, to_json, to_parquet, to_text
from stack.cli.output import print_items, print_table, printable_lines
from stack.cli.server import server_channel
from stack.cli.to_json import printable_json
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa
    from llm_observe.v1.filter_pb2 import TimeRange

    Command: TypeAlias = Callable[..., None]

_TIMEOUT_S: Final = 120.0
_FORMATS: Final = ("table", "csv", "json", "parquet")
_COLUMNS: Final = ("report", "what it answers")
_NANO_USD: Final = "_nano_usd"
_TIME: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


def _with_options(command: Command) -> Command:
    """Add the options that both commands have."""
    for option in (
        click.option("--json", "form", flag_value="json", help="The same as --format json."),
        click.option("--output", type=click.File("wb", lazy=True), default="-", help="File to write to."),
        click.option(
            "--format",
            "form",
            type=click.Choice(_FORMATS),
            default="table",
            show_default=True,
            help="Of the answer.",
        ),
        click.option("--to", "end", type=_TIME, help="End of the time range, in UTC; by default now."),
        click.option("--from", "start", type=_TIME, help="Its start; by default 30 days before."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("name", required=False)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a parameter; repeatable.")
@_with_options
def report(
    *,
    name: str | None,
    settings: Sequence[str],
    start: datetime | None,
    end: datetime | None,
    form: str,
    output: IO[bytes],
) -> None:
    """Run the report NAME, or list all reports.

    `llm-observe report NAME --set dimension=user` sets a parameter; docs/reports.md describes them.
    """
    with server_channel() as channel:
        service = ReportServiceStub(channel)
        if name is None:
            reports = service.ListReports(pb.ListReportsRequest(), timeout=_TIMEOUT_S).reports
            print_items(reports, _COLUMNS, lambda each: (each.name, each.description), as_json=form == "json")
            return
        request = pb.RunReportRequest(name=name, parameters=dict(map(_parse_setting, settings)))
        _set_range(request.time_range, start, end)
        table = _read(service.RunReport(request, timeout=_TIMEOUT_S))
    _write(table, form, output)


@click.command()
@click.argument("statement")
@click.option("--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="Rows.")
@_with_options
def sql(
    *,
    statement: str,
    limit: int,
    start: datetime | None,
    end: datetime | None,
    form: str,
    output: IO[bytes],
) -> None:
    """Ask a question of your own in SQL.

    One SELECT statement in DuckDB's dialect over the table logs, which holds the project's logs of the
    time range, to this moment. `-` reads it from stdin.
    """
    text = sys.stdin.read() if statement == "-" else statement
    request = pb.RunSqlRequest(sql=text, row_limit=limit)
    _set_range(request.time_range, start, end)
    with server_channel() as channel:
        table = _read(ReportServiceStub(channel).RunSql(request, timeout=_TIMEOUT_S))
    _write(table, form, output)


def _parse_setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise click.BadParameter("must be NAME=VALUE", param_hint="--set")
    return name.strip(), value


def _set_range(time_range: TimeRange, start: datetime | None, end: datetime | None) -> None:
    for timestamp, time in ((time_range.start_time, start), (time_range.end_time, end)):
        if time is not None:
            timestamp.FromDatetime(time)


def _read(parts: Iterable[pb.RunReportResponse | pb.RunSqlResponse]) -> pa.Table:
    """Return a streamed answer, and say on stderr if it was cut."""
    import pyarrow as pa  # noqa: PLC0415 - takes a while, which no other command should wait for

    stream, end = io.BytesIO(), None
    for part in parts:
        stream.write(part.arrow)
        end = part.end if part.HasField("end") else end
    if end is None:
        raise StackError("the answer ended early")
    if end.truncated:
        click.echo(f"cut after {end.row_count:,} rows", err=True)
    stream.seek(0)
    return pa.ipc.open_stream(stream).read_all()


def _write(table: pa.Table, form: str, output: IO[bytes]) -> None:
    if form == "parquet":
        output.write(to_parquet(table))
        return
    try:
        if form == "csv":
            text = to_csv(table)
            # A file gets every character; a terminal would obey some.
            output.write(printable_lines(text.decode()).encode() if output.isatty() else text)
            return
        rows = [list(row.values()) for row in table.to_pylist()]
    except (OverflowError, ValueError):
        raise StackError(
            "a time of the answer is not in the years 1 to 9999: cast it to text, or use --format parquet"
        ) from None
    names = table.column_names
    if form == "json":
        named = [dict(zip(names, map(_finite, row), strict=True)) for row in rows]
        shown = json.dumps(named, default=to_json, ensure_ascii=False, indent=1)
        output.write(printable_json(shown).encode() + b"\n")
    else:
        cells = [[_shown(name, value) for name, value in zip(names, row, strict=True)] for row in rows]
        print_table([name.replace(_NANO_USD, "_usd") for name in names], cells)


def _finite(value: Any) -> Any:
    """Return a value without what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):  # a map is a list of tuples
        return [_finite(each) for each in value]
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return value


def _shown(name: str, value: Any) -> str | int:
    """Return a value for people: dollars for 10^-9 of them, times to the second."""
    if name.endswith(_NANO_USD) and isinstance(value, int | float):
        dollars = value * 1e-9
        return f"{dollars:,.4f}" if abs(dollars) >= 1 else f"{dollars:.4g}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1 else f"{value:,.1f}"
    return "" if value is None else to_text(value)

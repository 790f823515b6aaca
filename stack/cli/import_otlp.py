"""`llm-observe import`: send what other tools have recorded to the server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click
import grpc
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status

from stack.cli.output import hint, json_option, print_fields, print_json, progress
from stack.cli.server import server_channel
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from codec.exports.requests import Export
    from codec.otlp.files import Request

_TIMEOUT_S: Final = 60.0
_PATIENCE_S: Final = 600.0
"""How long a server that refuses for now is asked again."""
_MAX_MESSAGES: Final = 10
_SERVICES: Final = {
    "ExportTraceServiceRequest": "opentelemetry.proto.collector.trace.v1.TraceService",
    "ExportLogsServiceRequest": "opentelemetry.proto.collector.logs.v1.LogsService",
}


@click.group(name="import")
def import_() -> None:
    """Send what other tools recorded."""


@import_.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--logs",
    "as_logs",
    is_flag=True,
    help="Protobuf files hold log records, not traces; JSON says so itself.",
)
@json_option
def otlp(*, files: tuple[Path, ...], as_logs: bool, as_json: bool) -> None:
    """Send files of OTLP, in JSON or protobuf.

    A file is one export request or many: lines of JSON, or protobuf behind its size, as the file exporter
    of a collector writes them. Sending a file again changes nothing. What is older than the retention is
    not kept.
    """
    from codec.otlp import files as otlp_files  # noqa: PLC0415 - its protos take time, and only this needs them

    def read(path: Path) -> Iterator[Request]:
        with path.open("rb") as file:
            yield from otlp_files.read_requests(file, as_logs=as_logs)

    _print_summary(_send_all(files, read), as_json=as_json)


@import_.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@json_option
def langfuse(*, files: tuple[Path, ...], as_json: bool) -> None:
    """Send what Langfuse exported.

    Files of its export to blob storage (observations_v2, or observations with traces), of its tables, of
    its API or downloaded traces: JSON, lines of JSON, CSV or Parquet, gzipped or not. Observations become
    calls and spans; scores are not kept. Sending a file again changes nothing.
    """
    from codec.exports.requests import LangfuseExport  # noqa: PLC0415 - as above

    _import(files, LangfuseExport, as_json=as_json)


@import_.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@json_option
def phoenix(*, files: tuple[Path, ...], as_json: bool) -> None:
    """Send what Phoenix exported.

    Spans of its API, traces of its command, or a data frame of spans that was written: JSON, lines of JSON
    or Parquet, gzipped or not. Sending a file again changes nothing.
    """
    from codec.exports.requests import PhoenixExport  # noqa: PLC0415 - as above

    _import(files, PhoenixExport, as_json=as_json)


def _import(files: tuple[Path, ...], product: Callable[[Sequence[Path]], Export], *, as_json: bool) -> None:
    from codec.exports.requests import requests_of  # noqa: PLC0415 - as above
    from codec.exports.rows import UnreadableExport  # noqa: PLC0415 - as above

    try:
        export = product(files)
    except UnreadableExport as error:
        raise StackError(str(error)) from None
    summary = _send_all(files, lambda path: requests_of(export, path))
    _print_summary(summary._replace(skipped=dict(export.skipped)), as_json=as_json)


class _Summary(NamedTuple):
    """What was sent and what became of it."""

    counts: dict[str, int]
    messages: list[str]
    """The first that the server had to say of rejected items."""
    skipped: dict[str, int] | None = None
    """Rows that were not sent, by reason; None where files have no rows."""


def _send_all(files: tuple[Path, ...], read: Callable[[Path], Iterator[Request]]) -> _Summary:
    counts = {"files": len(files), "requests": 0, "items": 0, "rejected": 0}
    messages: list[str] = []
    with server_channel() as channel, progress("sending") as update:
        for piece, count in _pieces(files, read):
            rejected, message = _send(channel, piece)
            counts["requests"] += 1
            counts["items"] += count
            counts["rejected"] += rejected
            if message and len(messages) < _MAX_MESSAGES:
                messages.append(message)
            update(counts["items"])
    return _Summary(counts, messages)


def _print_summary(summary: _Summary, *, as_json: bool) -> None:
    if as_json:
        rows = {} if summary.skipped is None else {"skipped": summary.skipped}
        print_json({**summary.counts, **rows, "messages": summary.messages})
        return
    print_fields(summary.counts.items())
    for reason, count in (summary.skipped or {}).items():
        print_fields([(f"skipped: {reason}", count)])
    for message in summary.messages:
        hint(message)


def _pieces(
    files: tuple[Path, ...], read: Callable[[Path], Iterator[Request]]
) -> Iterator[tuple[Request, int]]:
    from codec.exports.rows import UnreadableExport  # noqa: PLC0415 - as above
    from codec.otlp import files as otlp_files  # noqa: PLC0415 - as above

    for path in files:
        try:
            for request in read(path):
                for piece in otlp_files.split(request):
                    yield piece, otlp_files.count_items(piece)
        except UnreadableExport as error:
            raise StackError(str(error)) from None
        except otlp_files.UnreadableFile as error:
            raise StackError(f"{path}: {error}") from None


def _send(channel: grpc.Channel, request: Request) -> tuple[int, str]:
    """Send a request, again while the server refuses it for now; return how much it rejected, and why."""
    export: grpc.UnaryUnaryMultiCallable[Request, bytes] = channel.unary_unary(
        f"/{_SERVICES[type(request).__name__]}/Export", request_serializer=type(request).SerializeToString
    )
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return _rejected_of(request, export(request, timeout=_TIMEOUT_S))
        except grpc.RpcError as error:
            delay_s = _retry_delay_s(error)
            if delay_s is None or time.monotonic() + delay_s > deadline:
                raise
            time.sleep(delay_s)


def _rejected_of(request: Request, answer: bytes) -> tuple[int, str]:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (  # noqa: PLC0415 - slow to import
        ExportLogsServiceResponse,
    )
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415 - as above
        ExportTraceServiceResponse,
    )

    if type(request).__name__ == "ExportLogsServiceRequest":
        logs = ExportLogsServiceResponse.FromString(answer).partial_success
        return logs.rejected_log_records, logs.error_message
    spans = ExportTraceServiceResponse.FromString(answer).partial_success
    return spans.rejected_spans, spans.error_message


def _retry_delay_s(error: grpc.RpcError) -> float | None:
    """Return after how many seconds the server wants to be asked again; None where it does not."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # grpc raises RpcErrors that are Calls
    for detail in status.details if status is not None else ():
        info = RetryInfo()
        if detail.Unpack(info):
            delay_s: float = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
            return delay_s
    return None

"""`llm-observe export`: writes finished hours into the lake, and lists and cancels exports."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final

import click
from llm_observe.v1 import export_service_pb2 as pb
from llm_observe.v1.export_service_pb2_grpc import ExportServiceStub

from stack.cli.output import hint, json_option, print_items, progress
from stack.cli.server import server_channel
from stack.errors import StackError

_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.5
_DEFAULT_DAYS: Final = 365
_RUNNING: Final = frozenset((pb.EXPORT_STATE_QUEUED, pb.EXPORT_STATE_RUNNING))
_COLUMNS: Final = (
    "id",
    "requested (UTC)",
    "from",
    "to",
    "state",
    "files",
    "rows",
    "bytes",
    "reason",
    "error",
)
_DAY: Final = click.DateTime(formats=["%Y-%m-%d"])


@click.group(invoke_without_command=True)
@click.option("--from", "first_day", type=_DAY, help="First UTC day; by default a year ago.")
@click.option("--to", "last_day", type=_DAY, help="Last UTC day; by default today.")
@click.option("--verify", is_flag=True, help="Read all files, and write again those that are damaged.")
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@click.pass_context
def export(
    context: click.Context,
    first_day: datetime | None,
    last_day: datetime | None,
    verify: bool,  # noqa: FBT001 - click passes flags by name
    detach: bool,  # noqa: FBT001 - click passes flags by name
) -> None:
    """Write the hours that are over into the lake.

    Only what is missing there, or has changed since, is written. Workers do the same each hour. Repeating is
    safe, and an export that was interrupted goes on. With --verify all files are read, and those that are
    damaged are written again; where their logs were dropped, the command fails and names them.
    """
    if context.invoked_subcommand is not None:
        return
    request = _request(first_day, last_day)
    request.verify = verify
    with server_channel() as channel:
        service = ExportServiceStub(channel)
        queued = service.CreateExport(request, timeout=_TIMEOUT_S).export
        if detach:
            click.echo(queued.export_id)
            return
        ended = _watch(service, queued)
    if verify:
        files = ended.file_check
        click.echo(
            f"files: {files.intact_count} intact, {files.lost_count} lost, {files.damaged_count} damaged"
        )
    if ended.state != pb.EXPORT_STATE_SUCCEEDED:
        raise StackError(f"the export ended as {_state(ended)}{_because(ended)} after {_progress(ended)}")
    click.echo(f"exported {_progress(ended)}")


def _request(first_day: datetime | None, last_day: datetime | None) -> pb.CreateExportRequest:
    now = datetime.now(UTC)
    start = first_day.replace(tzinfo=UTC) if first_day else now - timedelta(days=_DEFAULT_DAYS)
    end = last_day.replace(tzinfo=UTC) + timedelta(days=1) if last_day else now
    if start >= end:
        raise click.UsageError("--from is after --to")
    request = pb.CreateExportRequest()
    request.time_range.start_time.FromDatetime(start)
    request.time_range.end_time.FromDatetime(end)
    return request


def _watch(service: ExportServiceStub, export: pb.Export) -> pb.Export:
    """Show the progress of an export until it ends. Ctrl-C leaves it running."""
    with progress("exporting hours") as update:
        while export.state in _RUNNING:
            time.sleep(_POLL_S)
            request = pb.GetExportRequest(export_id=export.export_id)
            export = service.GetExport(request, timeout=_TIMEOUT_S).export
            update(len(export.files), None)
    return export


@export.command(name="list")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many at most."
)
@json_option
def list_exports(*, limit: int, as_json: bool) -> None:
    """List exports, newest first."""
    with server_channel() as channel:
        request = pb.ListExportsRequest(page_size=limit)
        response = ExportServiceStub(channel).ListExports(request, timeout=_TIMEOUT_S)
    print_items(response.exports, _COLUMNS, _row, as_json=as_json, nothing="there are no exports")
    if response.next_page_token:
        hint("there are more: use a larger --limit")


@export.command()
@click.argument("export_id")
def cancel(export_id: str) -> None:
    """Cancel an export. What it has written stays."""
    with server_channel() as channel:
        request = pb.CancelExportRequest(export_id=export_id)
        ended = ExportServiceStub(channel).CancelExport(request, timeout=_TIMEOUT_S).export
    click.echo(f"{_state(ended)} after {_progress(ended)}")


def _row(export: pb.Export) -> tuple[str | int, ...]:
    times = (export.create_time, export.time_range.start_time, export.time_range.end_time)
    return (
        export.export_id,
        *(each.ToDatetime().isoformat(" ", "minutes") for each in times),
        _state(export),
        len(export.files),
        export.row_count,
        export.size_bytes,
        export.error_reason,
        export.error_message,
    )


def _state(export: pb.Export) -> str:
    return pb.ExportState.Name(export.state).removeprefix("EXPORT_STATE_").lower()


def _because(export: pb.Export) -> str:
    return f" ({export.error_reason}: {export.error_message})" if export.error_reason else ""


def _progress(export: pb.Export) -> str:
    return f"{export.row_count} logs in {len(export.files)} files, {export.size_bytes} bytes"

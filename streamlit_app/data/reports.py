"""Asks ReportService and ExportService. All functions raise ServerError if the call fails."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

import pyarrow as pa
from llm_observe.v1 import export_service_pb2 as exports
from llm_observe.v1 import report_service_pb2 as pb
from llm_observe.v1.export_service_pb2_grpc import ExportServiceStub
from llm_observe.v1.report_service_pb2_grpc import ReportServiceStub

from streamlit_app import format as fmt
from streamlit_app.data.connection import ServerError, channel, server_errors, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from llm_observe.v1.filter_pb2 import TimeRange

    from streamlit_app.state.questions import Question

QUERY_TIMEOUT_S: Final = 90.0
"""Longest a page waits for a report or SQL: longer than the server lets one wait, read and run."""


class Answer(NamedTuple):
    """What a report or a statement found."""

    columns: Sequence[pb.ResultColumn]
    table: pa.Table
    truncated: bool
    """Whether there are more rows than were sent."""
    start: datetime
    """The window that was read, to ``end``."""
    end: datetime
    lake_time: datetime | None
    """Up to when logs were read from files; None where none was."""


class RunningQuestion:
    """A question that the server is answering, read in a thread."""

    def __init__(self, question: Question, time_range: TimeRange) -> None:
        service = ReportServiceStub(channel())
        request = to_request(question, time_range)
        with server_errors():
            self._call = (
                service.RunSql(request, timeout=QUERY_TIMEOUT_S)
                if isinstance(request, pb.RunSqlRequest)
                else service.RunReport(request, timeout=QUERY_TIMEOUT_S)
            )
        threads = ThreadPoolExecutor(1, thread_name_prefix="question")
        self._answer = threads.submit(_read, self._call)
        threads.shutdown(wait=False)

    def wait(self, seconds: float) -> Answer | None:
        """Return the answer; None if there is none yet after so long."""
        try:
            return self._answer.result(seconds)
        except NotYet:
            return None

    def cancel(self) -> None:
        """Stop it, if it has not ended. The server stops it, too."""
        self._call.cancel()


def to_request(question: Question, time_range: TimeRange) -> pb.RunReportRequest | pb.RunSqlRequest:
    """Return what to send."""
    if question.sql:
        return pb.RunSqlRequest(sql=question.sql, time_range=time_range)
    return pb.RunReportRequest(
        name=question.report, time_range=time_range, parameters=dict(question.parameters)
    )


def _read(parts: Iterable[pb.RunReportResponse | pb.RunSqlResponse]) -> Answer:
    columns, stream, end = pb.ResultColumns(), io.BytesIO(), None
    with server_errors():
        for part in parts:
            stream.write(part.arrow)
            if part.HasField("columns"):
                columns = part.columns
            end = part.end if part.HasField("end") else end
    if end is None:
        raise ServerError("The answer ended early: try again.", "INCOMPLETE")
    stream.seek(0)
    return Answer(
        columns=list(columns.columns),
        table=pa.ipc.open_stream(stream).read_all(),
        truncated=end.truncated,
        start=fmt.timestamp(columns.time_range.start_time),
        end=fmt.timestamp(columns.time_range.end_time),
        lake_time=fmt.timestamp(end.lake_time) if end.HasField("lake_time") else None,
    )


def list_reports() -> dict[str, pb.Report]:
    """Return every report by its name."""
    with server_errors():
        answer = ReportServiceStub(channel()).ListReports(
            pb.ListReportsRequest(), timeout=settings().timeout_s
        )
    return {report.name: report for report in answer.reports}


def describe_tables() -> list[pb.Table]:
    """Return what SQL can read."""
    with server_errors():
        answer = ReportServiceStub(channel()).DescribeTables(
            pb.DescribeTablesRequest(), timeout=settings().timeout_s
        )
    return list(answer.tables)


def last_export() -> exports.Export | None:
    """Return the newest export; None if there is none. Needs the role admin."""
    with server_errors():
        answer = ExportServiceStub(channel()).ListExports(
            exports.ListExportsRequest(page_size=1), timeout=settings().timeout_s
        )
    return answer.exports[0] if answer.exports else None


def create_export(time_range: TimeRange) -> exports.Export:
    """Ask for an export of the finished hours of a window. Needs the role admin."""
    request = exports.CreateExportRequest(time_range=time_range, request_id=str(uuid4()))
    with server_errors():
        return ExportServiceStub(channel()).CreateExport(request, timeout=settings().timeout_s).export

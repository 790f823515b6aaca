"""Converts reports and parts of answers to protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from llm_observe.v1 import report_service_pb2 as pb

from analytics.reports.tables import TABLES
from analytics.sandbox.query import Chunk, Columns
from server.rpc.times import to_time_range, to_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from analytics.reports.catalogue import Report
    from analytics.reports.parameters import Parameter
    from analytics.windows import Window
    from server.reports.answers import Answer

Response = TypeVar("Response", pb.RunReportResponse, pb.RunSqlResponse)

_TYPES: Final = {
    "string": pb.PARAMETER_TYPE_STRING,
    "integer": pb.PARAMETER_TYPE_INTEGER,
    "number": pb.PARAMETER_TYPE_NUMBER,
}


def to_report(report: Report) -> pb.Report:
    """Return a report as a message."""
    return pb.Report(
        name=report.name,
        title=report.title,
        description=report.answers,
        parameters=map(_to_parameter, report.parameters),
        columns=[pb.ResultColumn(**column._asdict()) for column in report.columns],
        sql=report.template,
    )


def _to_parameter(parameter: Parameter) -> pb.ReportParameter:
    return pb.ReportParameter(
        name=parameter.name,
        description=parameter.description,
        type=_TYPES[parameter.kind],
        default_value=parameter.default,
        allowed_values=parameter.allowed_values,
    )


def to_tables() -> list[pb.Table]:
    """Return what SQL can read."""
    return [
        pb.Table(
            name=table.name,
            description=table.description,
            columns=[pb.ResultColumn(**column._asdict()) for column in table.columns],
        )
        for table in TABLES
    ]


def to_responses(
    answer: Answer, window: Window, make: type[Response], descriptions: Mapping[str, str]
) -> Iterator[Response]:
    """Yield an answer as responses of either call.

    Args:
        answer: What was found.
        window: What was read.
        make: The responses' class.
        descriptions: What columns hold, by name.
    """
    for part in answer.parts:
        if isinstance(part, Columns):
            columns = [
                pb.ResultColumn(
                    name=column.name, type=column.type, description=descriptions.get(column.name, "")
                )
                for column in part.columns
            ]
            yield make(columns=pb.ResultColumns(columns=columns, time_range=to_time_range(window)))
        elif isinstance(part, Chunk):
            yield make(arrow=part.data)
        else:
            end = pb.ResultEnd(row_count=part.row_count, truncated=part.truncated)
            if answer.lake_time is not None:
                end.lake_time.CopyFrom(to_timestamp(answer.lake_time))
            yield make(end=end)

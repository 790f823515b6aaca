"""ReportService."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from llm_observe.v1 import report_service_pb2 as pb

from analytics.reports.catalogue import reports
from analytics.reports.parameters import ParameterInvalid
from analytics.sandbox.errors import SqlFailed, SqlLimitExceeded, SqlRefused
from analytics.sandbox.query import REPORT_LIMITS, USER_LIMITS
from server.reports.answers import Question
from server.reports.convert import to_report, to_responses, to_tables
from server.reports.errors import ReportNotFound, SqlHasMistake, SqlIsRefused, SqlTookTooMuch
from server.rpc.auth import caller
from server.rpc.checks import check_text, parse_limit
from server.rpc.error_texts import may_be_id
from server.rpc.errors import InvalidField, QueryTookTooLong
from server.rpc.times import parse_window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.reports.answers import Answers
    from server.rpc.context import Context

_DEFAULT_WINDOW: Final = timedelta(days=30)
_MAX_NAME_CHARS: Final = 100
_MAX_SQL_CHARS: Final = 20_000


class ReportService:
    """See report_service.proto."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def ListReports(self, request: pb.ListReportsRequest, context: Context) -> pb.ListReportsResponse:
        return pb.ListReportsResponse(reports=map(to_report, reports().values()))

    async def RunReport(
        self, request: pb.RunReportRequest, context: Context
    ) -> AsyncIterator[pb.RunReportResponse]:
        check_text("name", request.name, min_chars=1, max_chars=_MAX_NAME_CHARS)
        report = reports().get(request.name)
        if report is None:
            raise ReportNotFound(request.name)
        window = parse_window(request.time_range, _DEFAULT_WINDOW)
        try:
            sql, parameters = report.statement(request.parameters, window)
        except ParameterInvalid as error:
            field = f"parameters[{error.name}]" if may_be_id(error.name) else "parameters"
            raise InvalidField([(field, error.problem)]) from error
        question = Question(
            sql=sql,
            parameters=parameters,
            project_id=caller().project_id,
            window=window,
            limits=REPORT_LIMITS,
            columns=report.words(),
            trusted=True,
        )
        try:
            answer = await self._answers.answer(question)
        except SqlLimitExceeded as error:
            raise QueryTookTooLong from error
        descriptions = {column.name: column.description for column in report.columns}
        for response in to_responses(answer, window, pb.RunReportResponse, descriptions):
            yield response

    async def DescribeTables(
        self, request: pb.DescribeTablesRequest, context: Context
    ) -> pb.DescribeTablesResponse:
        return pb.DescribeTablesResponse(tables=to_tables())

    async def RunSql(self, request: pb.RunSqlRequest, context: Context) -> AsyncIterator[pb.RunSqlResponse]:
        check_text("sql", request.sql, min_chars=1, max_chars=_MAX_SQL_CHARS)
        rows = parse_limit("row_limit", request.row_limit, default=USER_LIMITS.rows, maximum=USER_LIMITS.rows)
        window = parse_window(request.time_range, _DEFAULT_WINDOW)
        question = Question(
            sql=request.sql,
            parameters={},
            project_id=caller().project_id,
            window=window,
            limits=replace(USER_LIMITS, rows=rows),
        )
        try:
            answer = await self._answers.answer(question)
        except SqlRefused as error:
            raise SqlIsRefused(error.rule, error.sentence) from error
        except SqlFailed as error:
            raise SqlHasMistake(error.sentence) from error
        except SqlLimitExceeded as error:
            raise SqlTookTooMuch(error.limit, error.sentence) from error
        for response in to_responses(answer, window, pb.RunSqlResponse, {}):
            yield response

"""The part of AnalyticsService that reads logs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from llm_observe.v1 import analytics_service_pb2 as pb

from analytics.windows import Window
from codec.rows import to_log
from server.reads.queries import metric_filters
from server.rpc.auth import caller
from server.rpc.checks import parse_limit, parse_uuid
from server.rpc.errors import LogNotFound
from server.rpc.paging import Page, read_cursor
from server.rpc.times import parse_window
from storage import logs

if TYPE_CHECKING:
    from server.rpc.context import Context
    from storage.pool import Database


class LogReads:
    """Logs by id and by keyset pages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def GetLog(self, request: pb.GetLogRequest, context: Context) -> pb.GetLogResponse:
        log_id = parse_uuid("log_id", request.log_id)
        row = await logs.get_log(self._database, project_id=caller().project_id, log_id=log_id)
        if row is None:
            raise LogNotFound(request.log_id)
        return pb.GetLogResponse(log=to_log(row))

    async def ListErrors(self, request: pb.ListErrorsRequest, context: Context) -> pb.ListErrorsResponse:
        size = parse_limit("page_size", request.page_size, default=50, maximum=1000)
        # The first page fixes the window: "the last 24 hours" must not move from page to page.
        cursor = read_cursor(request, request.page_token, datetime, UUID, datetime, datetime)
        window = Window(*cursor[2:]) if cursor else parse_window(request.time_range)
        rows = await logs.list_errors(
            self._database,
            project_id=caller().project_id,
            start_time=window.start,
            end_time=window.end,
            before_time=cursor[0] if cursor else None,
            before_id=cursor[1] if cursor else None,
            row_limit=size + 1,
            **metric_filters(request.filter),
        )
        page = Page.of(rows, size, request, lambda row: (row.start_time, row.log_id, *window))
        return pb.ListErrorsResponse(
            logs=[to_log(row) for row in page.rows], next_page_token=page.next_page_token
        )

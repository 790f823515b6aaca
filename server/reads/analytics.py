"""AnalyticsService: numbers from rollups, logs by keyset pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from llm_observe.v1 import analytics_service_pb2 as pb

from analytics import metrics as numbers
from codec.rows import to_log
from server.reads.convert import to_metrics
from server.reads.queries import metric_filters, parse_step, rollup_query, whole_hours
from server.rpc.auth import caller
from server.rpc.checks import parse_limit, parse_uuid
from server.rpc.errors import InvalidField, LogNotFound
from server.rpc.paging import Page, read_cursor
from server.rpc.times import Window, parse_window, to_time_range, to_timestamp
from storage import logs

if TYPE_CHECKING:
    from server.rpc.context import Context
    from storage.pool import Database

_DIMENSIONS: Final = {
    pb.DIMENSION_UNSPECIFIED: "",
    pb.DIMENSION_PROVIDER: "provider",
    pb.DIMENSION_MODEL: "model",
    pb.DIMENSION_OPERATION: "operation",
    pb.DIMENSION_ENVIRONMENT: "environment",
}


class AnalyticsService:
    """See analytics_service.proto. Not here yet: ListLogs, CSV, breakdowns by what rollups do not hold."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def GetSummary(self, request: pb.GetSummaryRequest, context: Context) -> pb.GetSummaryResponse:
        window = whole_hours(parse_window(request.time_range))
        length = window.end - window.start
        before = Window(window.start - length, window.start)
        current, previous = [
            await numbers.summarise(
                self._database, rollup_query(caller().project_id, part, request.filter, step=length)
            )
            for part in (window, before)
        ]
        return pb.GetSummaryResponse(
            current=to_metrics(current), previous=to_metrics(previous), time_range=to_time_range(window)
        )

    async def QueryTimeSeries(
        self, request: pb.QueryTimeSeriesRequest, context: Context
    ) -> pb.QueryTimeSeriesResponse:
        window = whole_hours(parse_window(request.time_range))
        step = parse_step(request.step if request.HasField("step") else None, window)
        group_by = _dimension("group_by", request.group_by)
        query = rollup_query(caller().project_id, window, request.filter, step=step, group_by=group_by)
        series = await numbers.time_series(self._database, query)
        return pb.QueryTimeSeriesResponse(
            series=[_to_series(group) for group in series],
            time_range=to_time_range(window),
            step=Duration(seconds=int(step.total_seconds())),
        )

    async def QueryBreakdown(
        self, request: pb.QueryBreakdownRequest, context: Context
    ) -> pb.QueryBreakdownResponse:
        group_by = _dimension("dimension", request.dimension)
        if not group_by:
            raise InvalidField([("dimension", "is required")])
        window = whole_hours(parse_window(request.time_range))
        limit = parse_limit("limit", request.limit, default=50, maximum=500)
        query = rollup_query(
            caller().project_id, window, request.filter, step=timedelta(hours=1), group_by=group_by
        )
        groups, total = await numbers.breakdown(self._database, query, limit)
        return pb.QueryBreakdownResponse(
            rows=[pb.BreakdownRow(group=group.value, metrics=to_metrics(group.metrics)) for group in groups],
            total=to_metrics(total),
            time_range=to_time_range(window),
        )

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


def _dimension(field: str, dimension: pb.Dimension.ValueType) -> str:
    if dimension in _DIMENSIONS:
        return _DIMENSIONS[dimension]
    if dimension in pb.Dimension.values():
        raise NotImplementedError
    raise InvalidField([(field, "is not a known dimension")])


def _to_series(series: numbers.Series) -> pb.TimeSeries:
    points = [
        pb.TimePoint(start_time=to_timestamp(start_time), metrics=to_metrics(metrics))
        for start_time, metrics in series.points
    ]
    return pb.TimeSeries(group=series.group, points=points, remainder=series.remainder)

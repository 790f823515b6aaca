"""The part of AnalyticsService that reads numbers: summaries, time series, breakdowns and facets."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from google.protobuf.duration_pb2 import Duration
from llm_observe.v1 import analytics_service_pb2 as pb

from analytics import aggregates
from analytics.aggregates import REMAINDER
from analytics.error_codes import ERROR_CODE, count_error_codes, split_breakdown, split_series
from analytics.log_breakdowns import break_down_by_logs
from analytics.metrics import Metrics
from server.reads.convert import fill_metrics
from server.reads.queries import fit_step, is_unfinished, parse_step, rollup_filter
from server.reads.turns import in_turn
from server.reads.work import in_thread
from server.rpc.auth import caller
from server.rpc.checks import parse_limit
from server.rpc.errors import InvalidField
from server.rpc.times import parse_window, to_time_range
from storage.rollups import ERROR_CODES

if TYPE_CHECKING:
    from analytics.aggregates import Breakdown, Summary, TimeSeries
    from analytics.windows import Window
    from server.reads.turns import ReadTurns
    from server.rpc.context import Context
    from storage.pool import Database
    from storage.rollups import Cell, Facets

ROLLUP_DIMENSIONS: Final = {
    pb.DIMENSION_PROVIDER: "provider",
    pb.DIMENSION_MODEL: "model",
    pb.DIMENSION_OPERATION: "operation",
    pb.DIMENSION_ENVIRONMENT: "environment",
    pb.DIMENSION_ERROR_CODE: ERROR_CODE,
}
LOG_DIMENSIONS: Final = {
    pb.DIMENSION_USER: "user",
    pb.DIMENSION_SESSION: "session",
    pb.DIMENSION_RELEASE: "release",
    pb.DIMENSION_TAG: "tag",
}
"""Dimensions that only a breakdown has: rollups do not hold them."""
_MAX_GROUPS: Final = 500
_NUMBER_OF: Final = {name: number for number, name in ROLLUP_DIMENSIONS.items()}


class MetricReads:
    """Numbers from rollups. Messages are made in a thread: the loop serves other calls meanwhile."""

    def __init__(self, database: Database, turns: ReadTurns) -> None:
        self._database = database
        self.turns = turns

    @in_turn
    async def GetSummary(self, request: pb.GetSummaryRequest, context: Context) -> pb.GetSummaryResponse:
        found = rollup_filter(caller().project_id, request.filter)
        window = parse_window(request.time_range)
        summary = await aggregates.summarise(self._database, window, found, datetime.now(UTC))
        return await in_thread(_to_summary, summary)

    @in_turn
    async def QueryTimeSeries(
        self, request: pb.QueryTimeSeriesRequest, context: Context
    ) -> pb.QueryTimeSeriesResponse:
        found = rollup_filter(caller().project_id, request.filter)
        wanted = parse_step(request.step if request.HasField("step") else None)
        group_by = _rollup_dimension("group_by", request.group_by) if request.group_by else ""
        window = parse_window(request.time_range)
        async with aggregates.read_rollups(self._database, window, found.project_id) as snapshot:
            step = fit_step(wanted, snapshot.window, snapshot.minutes_from)
            if group_by == ERROR_CODE:
                series = await aggregates.query_time_series(snapshot, step, found, "", packed=ERROR_CODES)
            else:
                series = await aggregates.query_time_series(snapshot, step, found, group_by)
        convert = _to_error_series if group_by == ERROR_CODE else _to_time_series
        return await in_thread(convert, series, step, datetime.now(UTC))

    @in_turn
    async def QueryBreakdown(
        self, request: pb.QueryBreakdownRequest, context: Context
    ) -> pb.QueryBreakdownResponse:
        if not request.dimension:
            raise InvalidField([("dimension", "is required")])
        window = parse_window(request.time_range)
        limit = parse_limit("limit", request.limit, default=50, maximum=_MAX_GROUPS)
        found = rollup_filter(caller().project_id, request.filter)
        if request.dimension in LOG_DIMENSIONS:
            group_by = LOG_DIMENSIONS[request.dimension]
            breakdown = await break_down_by_logs(self._database, window, found, group_by, limit)
        else:
            group_by = _rollup_dimension("dimension", request.dimension)
            if group_by == ERROR_CODE:
                breakdown = await aggregates.break_down(
                    self._database, window, found, "", limit, packed=ERROR_CODES
                )
                breakdown = await in_thread(split_breakdown, breakdown, limit)
            else:
                breakdown = await aggregates.break_down(self._database, window, found, group_by, limit)
        return await in_thread(_to_breakdown, breakdown)

    @in_turn
    async def ListFacets(self, request: pb.ListFacetsRequest, context: Context) -> pb.ListFacetsResponse:
        found = rollup_filter(caller().project_id, request.filter)
        limit = parse_limit("limit", request.limit, default=50, maximum=_MAX_GROUPS)
        window, facets = await aggregates.list_facets(
            self._database, parse_window(request.time_range), found, limit
        )
        return await in_thread(_to_facets, window, facets, limit)


def _rollup_dimension(field: str, dimension: pb.Dimension.ValueType) -> str:
    if dimension in ROLLUP_DIMENSIONS:
        return ROLLUP_DIMENSIONS[dimension]
    raise InvalidField([(field, "must be provider, model, operation, environment or error code")])


def _to_facets(window: Window, facets: Facets, limit: int) -> pb.ListFacetsResponse:
    codes = count_error_codes(facets.error_codes)[:limit]
    return pb.ListFacetsResponse(
        facets=[
            pb.Facet(
                dimension=_NUMBER_OF[name],
                values=[pb.FacetValue(value=each.value, request_count=each.request_count) for each in values],
            )
            for name, values in {**facets.counts, ERROR_CODE: codes}.items()
        ],
        time_range=to_time_range(window),
    )


def _to_summary(summary: Summary) -> pb.GetSummaryResponse:
    response = pb.GetSummaryResponse(
        time_range=to_time_range(summary.window),
        previous_time_range=to_time_range(summary.previous_window),
        overflow_request_count=summary.overflow_count,
    )
    fill_metrics(response.current, Metrics(summary.current))
    fill_metrics(response.finished, Metrics(summary.finished))
    fill_metrics(response.previous, Metrics(summary.previous))
    return response


def _to_error_series(series: TimeSeries, step: timedelta, now: datetime) -> pb.QueryTimeSeriesResponse:
    steps = math.ceil((series.window.end - series.window.start) / step)
    return _to_time_series(split_series(series, aggregates.max_series(steps)), step, now)


def _to_time_series(series: TimeSeries, step: timedelta, now: datetime) -> pb.QueryTimeSeriesResponse:
    cells: dict[tuple[bool, str], dict[datetime, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in series.cells:
        assert cell.step_start is not None  # noqa: S101 - there is a step
        cells[cell.remainder, cell.group_value][cell.step_start].append(cell)
    response = pb.QueryTimeSeriesResponse(
        time_range=to_time_range(series.window),
        step=Duration(seconds=int(step.total_seconds())),
        overflow_request_count=series.overflow_count,
    )
    for remainder, group in [(False, group) for group in series.groups] + [(True, "")]:
        if found := cells.get((remainder, group)):
            line = response.series.add(group=REMAINDER if remainder else group, remainder=remainder)
            for start in sorted(found):
                _fill_point(line.points.add(), start, found[start])
                line.points[-1].unfinished = is_unfinished(start, step, now)
    return response


def _fill_point(point: pb.TimePoint, start: datetime, cells: list[Cell]) -> None:
    point.start_time.seconds = int(start.timestamp())
    fill_metrics(point.metrics, Metrics(cells))


def _to_breakdown(breakdown: Breakdown) -> pb.QueryBreakdownResponse:
    response = pb.QueryBreakdownResponse(
        time_range=to_time_range(breakdown.window), overflow_request_count=breakdown.overflow_count
    )
    for cell in breakdown.groups:
        fill_metrics(response.rows.add(group=cell.group_value).metrics, Metrics([cell]))
    fill_metrics(response.total, Metrics(breakdown.total))
    return response

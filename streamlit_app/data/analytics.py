"""Reads AnalyticsService. Every function waits for its answer, and may run in any thread.

All raise ServerError if the call fails.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.filter_pb2 import LogFilter, MetricFilter
from llm_observe.v1.trace_service_pb2 import ListTracesRequest, TraceServiceGetTraceRequest
from llm_observe.v1.trace_service_pb2_grpc import TraceServiceStub

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.data.connection import channel, server_errors, settings
from streamlit_app.state.filters import METRIC_KEYS
from streamlit_app.state.window import MAX_LENGTH, Bounds, shortest_step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from llm_observe.v1.filter_pb2 import TimeRange
    from llm_observe.v1.log_pb2 import Log
    from llm_observe.v1.trace_service_pb2 import ListTracesResponse, TraceServiceGetTraceResponse

    from streamlit_app.state.view import View

_EXPORT_TIMEOUT_S: Final = 120.0
STEP_S: Final = 0.4
"""How long the server searches for logs before a page says how far it is, in seconds."""
LONGEST_SEARCH_S: Final = 2
"""How long it searches where nobody says so, in seconds; the server allows no more."""
_RELEASES: Final = 30
DIMENSIONS = {
    "provider": pb.DIMENSION_PROVIDER,
    "model": pb.DIMENSION_MODEL,
    "op": pb.DIMENSION_OPERATION,
    "env": pb.DIMENSION_ENVIRONMENT,
    "user": pb.DIMENSION_USER,
    "session": pb.DIMENSION_SESSION,
    "code": pb.DIMENSION_ERROR_CODE,
    "release": pb.DIMENSION_RELEASE,
    "tag": pb.DIMENSION_TAG,
}
"""What numbers can be grouped by, under the names of the filters in URLs."""


class Query(NamedTuple):
    """A view at one time, as the server understands it."""

    bounds: Bounds
    time_range: TimeRange
    metric_filter: MetricFilter
    log_filter: LogFilter


def to_query(view: View, now: datetime) -> Query:
    """Return what to ask for, so that all panels of a page ask for the same."""
    bounds = view.window.bounds(now)
    filters = view.filters
    return Query(
        bounds,
        bounds.to_time_range(now),
        filters.only(METRIC_KEYS).to_metric_filter(),
        filters.to_log_filter(),
    )


def window_before(query: Query) -> Query:
    """Return the same query of the window before, as far as this one has come.

    Its steps are longer where it is so old that the server has only hours.
    """
    start, end = (fmt.timestamp(time) for time in (query.time_range.start_time, query.time_range.end_time))
    before = start - (end - start)
    bounds = Bounds(before, start, max(query.bounds.step, shortest_step(before, clock.now())))
    return query._replace(bounds=bounds, time_range=bounds.to_time_range(start))


def get_summary(query: Query) -> pb.GetSummaryResponse:
    """Return the totals of the window and of the one before it."""
    request = pb.GetSummaryRequest(time_range=query.time_range, filter=query.metric_filter)
    with server_errors():
        return _stub().GetSummary(request, timeout=settings().timeout_s)


def query_time_series(
    query: Query, group_by: str = "", step: timedelta | None = None
) -> pb.QueryTimeSeriesResponse:
    """Return numbers over time, in one series or one for each value of a dimension.

    ``step`` is the query's own unless it is given.
    """
    request = pb.QueryTimeSeriesRequest(time_range=query.time_range, filter=query.metric_filter)
    request.step.FromTimedelta(step or query.bounds.step)
    if group_by:
        request.group_by = DIMENSIONS[group_by]
    with server_errors():
        return _stub().QueryTimeSeries(request, timeout=settings().timeout_s)


def query_breakdown(query: Query, dimension: str, limit: int = 50) -> pb.QueryBreakdownResponse:
    """Return numbers by the values of a dimension, most requests first."""
    request = pb.QueryBreakdownRequest(
        time_range=query.time_range,
        filter=query.metric_filter,
        dimension=DIMENSIONS[dimension],
        limit=limit,
    )
    with server_errors():
        return _stub().QueryBreakdown(request, timeout=settings().timeout_s)


def count_error_codes(query: Query, providers: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many calls failed, by provider and error code."""

    def count(provider: str) -> dict[str, int]:
        narrowed = query._replace(metric_filter=_of_provider(query.metric_filter, provider))
        return {row.group: row.metrics.error_count for row in query_breakdown(narrowed, "code").rows}

    with ThreadPoolExecutor(thread_name_prefix="codes") as threads:
        return dict(zip(providers, threads.map(count, providers), strict=True))


def _of_provider(metric_filter: MetricFilter, provider: str) -> MetricFilter:
    narrowed = MetricFilter()
    narrowed.CopyFrom(metric_filter)
    narrowed.ClearField("providers")
    narrowed.providers.append(provider)
    return narrowed


def list_facets(query: Query, limit: int = 50) -> dict[str, list[pb.FacetValue]]:
    """Return the values that filters can take, with counts, by the names of the filters in URLs."""
    request = pb.ListFacetsRequest(time_range=query.time_range, filter=query.metric_filter, limit=limit)
    with server_errors():
        facets = _stub().ListFacets(request, timeout=settings().timeout_s).facets
    found = {facet.dimension: list(facet.values) for facet in facets}
    return {key: found.get(dimension, []) for key, dimension in DIMENSIONS.items()}


def list_releases(query: Query) -> pb.ListReleasesResponse:
    """Return the releases that began in the window.

    Of the filters, that of environments acts alone: something is deployed to one, whatever it calls.
    """
    request = pb.ListReleasesRequest(
        time_range=query.time_range, environments=query.metric_filter.environments, limit=_RELEASES
    )
    with server_errors():
        # Charts wait for it, and are no worse without: where logs are not in memory, the next refresh has it.
        return _stub().ListReleases(request, timeout=settings().timeout_s / 3)


def list_errors(query: Query, page_size: int = 50) -> pb.ListErrorsResponse:
    """Return failed calls, newest first."""
    request = pb.ListErrorsRequest(
        time_range=query.time_range, filter=query.metric_filter, page_size=page_size
    )
    with server_errors():
        return _stub().ListErrors(request, timeout=settings().timeout_s)


def list_logs(
    query: Query, page_size: int = 50, page_token: str = "", search_s: float = STEP_S
) -> pb.ListLogsResponse:
    """Return a page of logs, newest first, with what is found in so many seconds."""
    request = pb.ListLogsRequest(
        time_range=query.time_range, filter=query.log_filter, page_size=page_size, page_token=page_token
    )
    request.search_time.FromMilliseconds(int(search_s * 1000))
    with server_errors():
        return _stub().ListLogs(request, timeout=settings().timeout_s)


def list_session(session_id: str, limit: int = 500) -> pb.ListLogsResponse:
    """Return the latest logs of a session in the last year, newest first."""
    request = pb.ListLogsRequest(filter=LogFilter(session_id=session_id), page_size=limit)
    request.search_time.FromSeconds(LONGEST_SEARCH_S)
    now = clock.now()
    request.time_range.start_time.FromDatetime(now - MAX_LENGTH)
    request.time_range.end_time.FromDatetime(now)
    with server_errors():
        return _stub().ListLogs(request, timeout=settings().timeout_s)


def export_csv(query: Query, row_limit: int) -> bytes:
    """Return logs as CSV, newest first."""
    request = pb.ExportLogsCsvRequest(
        time_range=query.time_range, filter=query.log_filter, row_limit=row_limit
    )
    with server_errors():
        chunks = _stub().ExportLogsCsv(request, timeout=_EXPORT_TIMEOUT_S)
        return b"".join(answer.chunk for answer in chunks)


def find_last_log(log_filter: LogFilter | None = None) -> Log | None:
    """Return the newest log of the last year that matches; None if there is none."""
    request = pb.ListLogsRequest(filter=log_filter, page_size=1)
    request.search_time.FromSeconds(LONGEST_SEARCH_S)
    now = clock.now()
    request.time_range.start_time.FromDatetime(now - MAX_LENGTH)
    request.time_range.end_time.FromDatetime(now)
    with server_errors():
        logs = _stub().ListLogs(request, timeout=settings().timeout_s).logs
    return logs[0] if logs else None


def get_log(log_id: str) -> pb.GetLogResponse:
    """Return one log, and how it compares with others."""
    with server_errors():
        return _stub().GetLog(pb.GetLogRequest(log_id=log_id), timeout=settings().timeout_s)


def get_trace(trace_id: str) -> TraceServiceGetTraceResponse:
    """Return the logs and the spans of a trace, oldest first."""
    request = TraceServiceGetTraceRequest(trace_id=trace_id)
    with server_errors():
        return TraceServiceStub(channel()).GetTrace(request, timeout=settings().timeout_s)


def list_traces(time_range: TimeRange, name_query: str, *, errors_only: bool) -> ListTracesResponse:
    """Return the newest traces of a window."""
    request = ListTracesRequest(time_range=time_range, name_query=name_query, errors_only=errors_only)
    with server_errors():
        return TraceServiceStub(channel()).ListTraces(request, timeout=settings().timeout_s)


def _stub() -> AnalyticsServiceStub:
    return AnalyticsServiceStub(channel())

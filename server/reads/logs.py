"""The part of AnalyticsService that reads logs: pages, traces, single logs, and CSV."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from llm_observe.v1 import analytics_service_pb2 as pb

from analytics import ranks
from codec.rows import to_log
from codec.rules import is_trace_id
from server.reads.log_csv import export_csv
from server.reads.log_filter import parse_error_filter, parse_log_filter
from server.reads.log_pages import list_page, to_logs
from server.reads.log_search import MAX_SEARCH_S, SEARCH_BUDGET_S
from server.reads.turns import in_turn
from server.reads.work import in_thread
from server.rpc.auth import caller
from server.rpc.checks import parse_limit, parse_uuid
from server.rpc.errors import InvalidField, LogNotFound
from server.rpc.times import parse_length, parse_window, to_time_range, to_timestamp
from storage import logs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.reads.turns import ReadTurns
    from server.rpc.context import Context
    from storage.columns import LogRow
    from storage.pool import Database

_MAX_PAGE_SIZE: Final = 1000
_MAX_TRACE_LOGS: Final = 1000
_MAX_CSV_ROWS: Final = 1_000_000


class LogReads:
    """Logs one by one. Messages of many are made in a thread: the loop serves other calls meanwhile."""

    def __init__(self, database: Database, turns: ReadTurns) -> None:
        self._database = database
        self.turns = turns

    @in_turn
    async def ListLogs(self, request: pb.ListLogsRequest, context: Context) -> pb.ListLogsResponse:
        size = parse_limit("page_size", request.page_size, default=50, maximum=_MAX_PAGE_SIZE)
        log_filter, budget_s = parse_log_filter(request.filter), _parse_search_time(request)
        page = await list_page(
            self._database, caller().project_id, log_filter, request, size, budget_s=budget_s
        )
        return pb.ListLogsResponse(
            logs=page.logs,
            next_page_token=page.next_page_token,
            previous_page_token=page.previous_page_token,
            searched_time=to_timestamp(page.searched_time),
        )

    @in_turn
    async def ListErrors(self, request: pb.ListErrorsRequest, context: Context) -> pb.ListErrorsResponse:
        size = parse_limit("page_size", request.page_size, default=50, maximum=_MAX_PAGE_SIZE)
        log_filter = parse_error_filter(request.filter)
        page = await list_page(self._database, caller().project_id, log_filter, request, size)
        return pb.ListErrorsResponse(
            logs=page.logs,
            next_page_token=page.next_page_token,
            previous_page_token=page.previous_page_token,
        )

    async def GetTrace(self, request: pb.GetTraceRequest, context: Context) -> pb.GetTraceResponse:
        if not is_trace_id(request.trace_id):
            raise InvalidField([("trace_id", "must be 32 lower-case hex digits")])
        rows = await logs.list_trace(
            self._database,
            project_id=caller().project_id,
            trace_id=request.trace_id,
            row_limit=_MAX_TRACE_LOGS + 1,
        )
        found = await in_thread(to_logs, rows[:_MAX_TRACE_LOGS])
        return pb.GetTraceResponse(logs=found, truncated=len(found) < len(rows))

    async def GetLog(self, request: pb.GetLogRequest, context: Context) -> pb.GetLogResponse:
        log_id = parse_uuid("log_id", request.log_id)
        row = await logs.get_log(self._database, project_id=caller().project_id, log_id=log_id)
        if row is None:
            raise LogNotFound(request.log_id)
        return pb.GetLogResponse(log=to_log(row), rank=await self._rank(row))

    async def _rank(self, row: LogRow) -> pb.LogRank | None:
        if row.latency_bucket is None:
            return None
        peers = await ranks.read_peers(self._database, row)
        rank = await in_thread(ranks.rank, row, peers)
        return rank and pb.LogRank(**rank._asdict(), time_range=to_time_range(ranks.day_of(row)))

    async def ExportLogsCsv(
        self, request: pb.ExportLogsCsvRequest, context: Context
    ) -> AsyncIterator[pb.ExportLogsCsvResponse]:
        limit = parse_limit("row_limit", request.row_limit, default=_MAX_CSV_ROWS, maximum=_MAX_CSV_ROWS)
        log_filter = parse_log_filter(request.filter)
        window = parse_window(request.time_range)
        chunks = export_csv(self._database, caller().project_id, log_filter, window, limit)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield pb.ExportLogsCsvResponse(chunk=chunk)


def _parse_search_time(request: pb.ListLogsRequest) -> float:
    """Return how long a search may take, in seconds."""
    if not request.HasField("search_time"):
        return SEARCH_BUDGET_S
    return min(parse_length("search_time", request.search_time).total_seconds(), MAX_SEARCH_S)

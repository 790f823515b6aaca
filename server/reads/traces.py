"""TraceService: traces of calls and of the spans around them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from llm_observe.v1 import span_pb2
from llm_observe.v1 import trace_service_pb2 as pb
from llm_observe.v1.trace_service_pb2_grpc import TraceServiceServicer

from codec.rules import is_trace_id
from server.reads.log_pages import to_logs
from server.reads.work import in_thread
from server.rpc.auth import caller
from server.rpc.checks import check_text, parse_limit
from server.rpc.errors import InvalidField
from server.rpc.paging import Page, read_cursor
from server.rpc.times import parse_length, parse_window, to_timestamp
from storage import logs, spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from server.rpc.context import Context
    from storage.pool import Database
    from storage.spans import FoundSpan, Root, TraceSums

_MAX_LOGS: Final = 1000
_MAX_SPANS: Final = 5000
_MAX_PAGE_SIZE: Final = 200
_MAX_TEXT_CHARS: Final = 200
_LATEST: Final = (datetime.max.replace(tzinfo=UTC), "")


class TraceService(TraceServiceServicer):
    """See trace_service.proto."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def GetTrace(
        self, request: pb.TraceServiceGetTraceRequest, context: Context
    ) -> pb.TraceServiceGetTraceResponse:
        if not is_trace_id(request.trace_id):
            raise InvalidField([("trace_id", "must be 32 lower-case hex digits")])
        which = {"project_id": caller().project_id, "trace_id": request.trace_id}
        rows = await logs.list_trace(self._database, **which, row_limit=_MAX_LOGS + 1)
        found = await spans.list_spans(self._database, **which, row_limit=_MAX_SPANS + 1)
        return pb.TraceServiceGetTraceResponse(
            logs=await in_thread(to_logs, rows[:_MAX_LOGS]),
            spans=await in_thread(_to_spans, found[:_MAX_SPANS]),
            truncated=len(rows) > _MAX_LOGS or len(found) > _MAX_SPANS,
        )

    async def ListTraces(self, request: pb.ListTracesRequest, context: Context) -> pb.ListTracesResponse:
        size = parse_limit("page_size", request.page_size, default=50, maximum=_MAX_PAGE_SIZE)
        project_id = caller().project_id
        found = await spans.list_roots(
            self._database,
            _parse_filter(request),
            project_id=project_id,
            before=read_cursor(request, request.page_token, datetime, str) or _LATEST,
            row_limit=size + 1,
        )
        page = Page.of(found, size, request, lambda root: (root.start_time, root.trace_id))
        ids = [root.trace_id for root in page.rows]
        sums = await spans.sum_traces(self._database, project_id=project_id, trace_ids=ids)
        return pb.ListTracesResponse(
            traces=[_to_trace(root, sums.get(root.trace_id, spans.TraceSums())) for root in page.rows],
            next_page_token=page.next_page_token,
        )


def _parse_filter(request: pb.ListTracesRequest) -> spans.RootFilter:
    window = parse_window(request.time_range)
    for field in ("name_query", "session_id", "service_name"):
        check_text(field, getattr(request, field), max_chars=_MAX_TEXT_CHARS)
    min_duration = None
    if request.HasField("min_duration"):
        min_duration = parse_length("min_duration", request.min_duration)
    return spans.RootFilter(
        window.start,
        window.end,
        request.name_query or None,
        request.session_id or None,
        request.service_name or None,
        min_duration,
        request.errors_only,
    )


def _to_trace(root: Root, sums: TraceSums) -> pb.Trace:
    trace = pb.Trace(
        trace_id=root.trace_id,
        root_name=root.name,
        service_name=root.service_name,
        session_id=root.session_id,
        start_time=to_timestamp(root.start_time),
        call_count=sums.call_count,
        span_count=sums.span_count,
        error_count=max(sums.error_count, int(root.has_failed)),
        total_token_count=sums.total_token_count,
        cost_nano_usd=sums.cost_nano_usd,
    )
    if root.duration is not None:
        trace.duration.FromTimedelta(root.duration)
    return trace


def _to_spans(found: Sequence[FoundSpan]) -> list[span_pb2.Span]:
    return [_to_span(span) for span in found]


def _to_span(found: FoundSpan) -> span_pb2.Span:
    span = span_pb2.Span(
        trace_id=found.trace_id,
        span_id=found.span_id,
        parent_span_id=found.parent_span_id,
        name=found.name,
        operation=found.operation,
        start_time=to_timestamp(found.start_time),
        end_time=to_timestamp(found.end_time),
        status=found.status,  # type: ignore[arg-type] # the enum's number
        status_message=found.status_message,
        scope=found.scope,
        service_name=found.service_name,
        session_id=found.session_id,
        log_id=str(found.log_id or ""),
    )
    span.attributes.update(json.loads(found.attributes))
    return span

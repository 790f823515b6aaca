"""Made-up logs, the same each time: a list with pages and filters, one by one, and by trace."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache

from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.event_service_pb2 import WatchLogsRequest, WatchLogsResponse
from llm_observe.v1.filter_pb2 import LogFilter
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS, Log
from llm_observe.v1.trace_service_pb2 import (
    ListTracesRequest,
    ListTracesResponse,
    Trace,
    TraceServiceGetTraceRequest,
    TraceServiceGetTraceResponse,
)

from server.rpc.errors import LogNotFound
from tests.support.ui.sample import CODES, MESSAGES, NOW, SOURCES

COUNT = 400
PROMPTS = (
    ("Summarise this support ticket in two sentences for [EMAIL].",
     "The customer cannot log in since Monday. A reset link was sent to [EMAIL]; it waits for her."),
    ("Which invoices are overdue, and by how much?",
     "Three invoices are overdue:\n\n| invoice | days | amount |\n|---|---|---|\n| 1042 | 12 | $310.00 |"),
    ("Translate the release notes into German.", "Diese Version behebt den Fehler beim Anmelden."),
    ("Write a polite reminder to [EMAIL], phone [PHONE], about invoice 1042.",
     "Dear customer, our records show that invoice 1042 is still open."),
    ("Explain what this query does: SELECT count(*) FROM orders WHERE paid IS NULL",
     "It counts the orders that have not been paid."),
)  # fmt: skip
TRACE_ID = f"{7:032x}"
"""A trace of several calls, one of which failed, with a parent that never arrived."""


def _log(number: int, start: datetime, latency_s: float, chance: random.Random) -> Log:
    source = chance.choices(SOURCES, [one.weight for one in SOURCES])[0]
    prompt, answer = chance.choice(PROMPTS)
    log = Log(
        log_id=f"01a213f0-0000-7000-8000-{number:012x}",
        session_id=f"session-{number % 37:02}",
        provider=source.provider,
        model=source.model,
        response_model=f"{source.model}-2026-09",
        operation=source.op,
        environment=source.env,
        release="2026.11.3" if number < 150 else "2026.11.2",
        user_id=f"user-{number % 23:03}",
        outcome=OUTCOME_SUCCESS,
        input_token_count=chance.randint(40, 3000),
        input_preview=prompt,
        source="llm-observe-python",
    )
    latency = source.latency_s * latency_s
    log.start_time.FromDatetime(start)
    log.latency.FromTimedelta(timedelta(seconds=latency))
    if source.op == "chat":
        log.streamed = True
        log.output_token_count = chance.randint(10, 900)
        log.total_token_count = log.input_token_count + log.output_token_count
        log.time_to_first_token.FromTimedelta(timedelta(seconds=latency * chance.uniform(0.15, 0.4)))
        log.output_preview = answer
        log.finish_reason = "stop"
    if source.nano_usd is not None:
        log.cost_nano_usd = int(source.nano_usd * chance.uniform(0.3, 2))
        log.price_version = "2026-11-01"
    if chance.random() < 0.3:
        log.conversation_id = f"01a213f0-0000-7000-9000-{number % 40:012x}"
    _end(log, chance)
    return log


def _end(log: Log, chance: random.Random) -> None:
    ending = chance.random()
    if ending < 0.06:
        log.outcome = OUTCOME_ERROR
        log.error_code = chance.choice(CODES[log.provider])
        status, log.error_message = MESSAGES[log.error_code]
        if status:
            log.http_status = status
        for field in ("output_token_count", "total_token_count", "cost_nano_usd", "time_to_first_token"):
            log.ClearField(field)
        log.output_preview = ""
    elif ending < 0.09:
        log.outcome = OUTCOME_CANCELLED


@cache
def logs() -> tuple[Log, ...]:
    """Return all logs, newest first."""
    chance = random.Random(16)
    made, start = [], NOW
    for number in range(COUNT):
        start -= timedelta(seconds=chance.uniform(5, 380))
        made.append(_log(number, start, chance.lognormvariate(0, 0.6), chance))
    _make_trace(made[2:10])
    made.sort(key=lambda log: -log.start_time.ToNanoseconds())
    return tuple(made)


def _make_trace(calls: list[Log]) -> None:
    """Make calls the parts of one trace: a chain with a child, side by side, and a wait."""
    shape = [
        # start, latency, first token, parent
        (0.0, 0.9, 0.25, 90), (0.95, 0.18, None, 90), (1.2, 2.1, 0.6, 90), (1.5, 0.4, None, 2),
        (2.0, 0.9, 0.2, 2), (4.9, 1.4, 0.5, 91), (5.0, 0.7, 0.3, 91), (6.4, 0.8, 0.2, 91),
    ]  # fmt: skip
    begin = calls[-1].start_time.ToDatetime(tzinfo=UTC)
    for number, (call, (start, latency, first, parent)) in enumerate(zip(calls, shape, strict=True)):
        call.trace_id = TRACE_ID
        call.span_id, call.parent_span_id = f"{number:016x}", f"{parent:016x}"
        call.session_id, call.conversation_id = "session-99", f"01a213f0-0000-7000-9000-{99:012x}"
        call.start_time.FromDatetime(begin + timedelta(seconds=start))
        call.latency.FromTimedelta(timedelta(seconds=latency))
        call.ClearField("time_to_first_token")
        if first:
            call.time_to_first_token.FromTimedelta(timedelta(seconds=first))
    calls[4].outcome, calls[4].error_code = OUTCOME_ERROR, "timeout"
    calls[4].error_message = "Request timed out."


def matches(log: Log, asked: LogFilter) -> bool:
    """Return whether a log matches; of the filters that tests use."""
    metric, text = asked.metric_filter, asked.text.lower()
    lists = (
        (metric.providers, log.provider), (metric.models, log.model), (metric.operations, log.operation),
        (metric.environments, log.environment), (asked.outcomes, log.outcome),
        (asked.error_codes, log.error_code), (asked.releases, log.release),
    )  # fmt: skip
    singles = (
        (asked.user_id, log.user_id), (asked.session_id, log.session_id), (asked.trace_id, log.trace_id),
        (asked.conversation_id, log.conversation_id),
    )  # fmt: skip
    latency = log.latency.ToNanoseconds()
    return (
        all(not values or value in values for values, value in lists)
        and all(not wanted or wanted == value for wanted, value in singles)
        and set(asked.tags) <= set(log.tags)
        and (not asked.HasField("min_latency") or latency >= asked.min_latency.ToNanoseconds())
        and (not asked.HasField("max_latency") or latency <= asked.max_latency.ToNanoseconds())
        and text in f"{log.input_preview} {log.output_preview} {log.error_message}".lower()
    )


def _within(request: pb.ListLogsRequest | pb.ExportLogsCsvRequest) -> list[Log]:
    start, end = request.time_range.start_time, request.time_range.end_time
    last = end.ToNanoseconds() if request.time_range.HasField("end_time") else 1 << 62
    found = [
        log
        for log in logs()
        if start.ToNanoseconds() <= log.start_time.ToNanoseconds() < last and matches(log, request.filter)
    ]
    return sorted(found, key=lambda log: -log.start_time.ToNanoseconds())


def list_logs(request: pb.ListLogsRequest) -> pb.ListLogsResponse:
    """Return a page; its token is the place of its first log."""
    found, size = _within(request), request.page_size or 50
    at = int(request.page_token or 0)
    return pb.ListLogsResponse(
        logs=found[at : at + size],
        next_page_token=str(at + size) if at + size < len(found) else "",
        previous_page_token=str(at - size) if at else "",
        searched_time=request.time_range.start_time,
    )


def get_log(request: pb.GetLogRequest) -> pb.GetLogResponse | LogNotFound:
    log = next((log for log in logs() if log.log_id == request.log_id), None)
    if log is None:
        return LogNotFound(request.log_id)
    answer = pb.GetLogResponse(log=log)
    if log.outcome == OUTCOME_SUCCESS:
        answer.rank.faster_share, answer.rank.compared_count = 0.972, 4310
        answer.rank.faster_first_token_share = 0.41
    return answer


def list_traces(request: ListTracesRequest) -> ListTracesResponse:
    """Return the sample's trace, unless its name is not what is looked for."""
    name = "answer a question"
    calls = [log for log in logs() if log.trace_id == TRACE_ID]
    trace = Trace(trace_id=TRACE_ID, root_name=name, service_name="shop", call_count=len(calls), span_count=3)
    trace.start_time.CopyFrom(calls[0].start_time)
    trace.duration.seconds = 4
    trace.total_token_count = 1234
    return ListTracesResponse(traces=[trace] if request.name_query in name else [])


def get_trace(request: TraceServiceGetTraceRequest) -> TraceServiceGetTraceResponse:
    found = [log for log in reversed(logs()) if log.trace_id == request.trace_id]
    return TraceServiceGetTraceResponse(logs=found)


def export_csv(request: pb.ExportLogsCsvRequest) -> Iterable[pb.ExportLogsCsvResponse]:
    yield pb.ExportLogsCsvResponse(chunk=b"log_id,model\n")
    for log in _within(request)[: request.row_limit]:
        yield pb.ExportLogsCsvResponse(chunk=f"{log.log_id},{log.model}\n".encode())


def watch_logs(request: WatchLogsRequest) -> Iterable[WatchLogsResponse]:
    """Send nothing but the beginning."""
    del request
    yield WatchLogsResponse()


def log_answers() -> dict[str, object]:
    """Return the answers of a server that has these logs."""
    return {
        "AnalyticsService.ListLogs": list_logs,
        "AnalyticsService.GetLog": get_log,
        "TraceService.GetTrace": get_trace,
        "TraceService.ListTraces": list_traces,
        "AnalyticsService.ExportLogsCsv": export_csv,
        "EventService.WatchLogs": watch_logs,
    }

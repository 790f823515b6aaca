"""Spans around calls are kept, redacted and bounded, and traces are read of both."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration
from llm_observe.v1 import trace_service_pb2 as pb
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from llm_observe.v1.trace_service_pb2_grpc import TraceServiceStub

from stack.erasure import UserErasure
from storage.spans import drop_old_spans, ensure_span_partitions
from tests.support.logs import make_log, make_request
from tests.support.otlp_bodies import MILLISECOND, START_NS, TRACE_ID, body, messages, pairs, span, span_id
from tests.support.recordings import recordings
from tests.support.rpc import info_of, stub
from tests.support.waiting import eventually

NOW_NS = int(datetime.now(UTC).timestamp()) * 1_000_000_000
CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5-mini", "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 4}  # fmt: skip
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "weather", "session.id": "s"}


def now(**fields: Any) -> dict[str, Any]:
    """Return fields that move a span to this hour: older spans are not listed by default."""
    return {
        "startTimeUnixNano": str(NOW_NS),
        "endTimeUnixNano": str(NOW_NS + 100 * MILLISECOND),
        **fields,
    }


def at(ms: int, **fields: Any) -> dict[str, Any]:
    """Return fields that move a span to so many milliseconds after NOW_NS."""
    start_ns = NOW_NS + ms * MILLISECOND
    return {"startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + MILLISECOND), **fields}


async def send(server, *spans: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.otlp_http.port}") as client:
        answer = await client.post("/v1/traces", json=body(*spans))
        assert (answer.status_code, answer.json()) == (200, {})


@pytest.fixture
def traces(channel):
    return stub(TraceServiceStub, channel)


async def get_trace(traces, span_count: int, log_count: int = 0) -> pb.TraceServiceGetTraceResponse:
    """Wait for the spans and the logs of the trace, which are stored one after the other."""

    async def whole():
        found = await traces.GetTrace(pb.TraceServiceGetTraceRequest(trace_id=TRACE_ID))
        return found if (len(found.spans), len(found.logs)) == (span_count, log_count) else None

    answer: pb.TraceServiceGetTraceResponse = await eventually(whole)
    return answer


async def test_a_trace_has_its_calls_and_what_is_around_them(server, worker, traces):
    await send(
        server,
        span(2, 1, **now(attributes={**CALL})),
        span(3, 1, **now(name="execute_tool w", attributes={"gen_ai.operation.name": "execute_tool"})),
        span(1, **now(name="invoke_agent weather", attributes=AGENT, status={"code": 2, "message": "no"})),
    )
    found = await get_trace(traces, 3, 1)
    (log,) = found.logs
    by_id = {each.span_id: each for each in found.spans}
    assert by_id[span_id(2)].log_id == log.log_id
    assert (log.session_id, by_id[span_id(1)].log_id) == ("s", "")
    agent = by_id[span_id(1)]
    assert (agent.operation, agent.name, agent.status_message) == (
        "invoke_agent",
        "invoke_agent weather",
        "no",
    )
    assert agent.attributes["gen_ai.agent.name"] == "weather"
    listed = await traces.ListTraces(pb.ListTracesRequest())
    (trace,) = listed.traces
    assert (trace.root_name, trace.session_id, trace.service_name) == ("invoke_agent weather", "s", "shop")
    assert (trace.call_count, trace.span_count, trace.total_token_count) == (1, 2, 7)
    assert (trace.error_count, trace.duration.ToMilliseconds()) == (1, 100)


async def test_spans_are_redacted_and_bounded(server, worker, traces, sql):
    secret = "sk-" + "proj-" + "A1b2C3d4" * 6
    await send(
        server,
        span(
            1,
            **now(
                name=f"tool of jane.doe@example.com {secret}",
                attributes={
                    "gen_ai.tool.call.arguments": f'{{"mail": "jane.doe@example.com", "key": "{secret}"}}',
                    "gen_ai.tool.call.result": "y" * 100_000,
                    "http.request.header.authorization": secret,
                    "other.attribute": "not kept",
                    "gen_ai.input.messages": messages(("user", "hello")),
                    **{f"gen_ai.tool.x{number}": "z" * 500 for number in range(50)},
                },
            ),
        ),
    )
    (kept,) = (await get_trace(traces, 1)).spans
    text = str(kept)
    assert "jane.doe" not in text
    assert secret not in text
    assert "[EMAIL]" in kept.name
    assert "other.attribute" not in kept.attributes
    assert "http.request.header.authorization" not in kept.attributes
    assert len(str(kept.attributes["gen_ai.tool.call.result"])) <= 500
    assert await sql.fetchval("SELECT length(attributes::text) FROM spans") < 10_000


async def test_a_span_that_is_sent_again_is_the_same_row(server, worker, traces, sql):
    for _ in range(3):
        await send(server, span(1, **now(attributes=AGENT)), span(2, 1, **now(attributes=CALL)))
    await get_trace(traces, 2, 1)
    assert await sql.fetchval("SELECT count(*) FROM spans") == 2


async def test_views_of_one_call_name_its_log(server, worker, traces):
    await send(server, span(2, 1, **now(attributes=CALL)))
    await send(server, span(1, **now(attributes=CALL)))
    found = await get_trace(traces, 2, 1)
    (log,) = found.logs
    assert {each.log_id for each in found.spans} == {log.log_id}


async def test_traces_are_listed_in_pages_and_filtered(server, worker, traces, channel):
    for number in range(5):
        await send(
            server,
            span(
                1,
                traceId=f"{number + 1:032x}",
                name=f"run {number}",
                startTimeUnixNano=str(NOW_NS + number * MILLISECOND),
                endTimeUnixNano=str(NOW_NS + (1 + 100 * number) * MILLISECOND),
                attributes={**AGENT, "session.id": f"s{number}"},
            ),
        )
    log = make_log(traceId="f" * 32, outcome="OUTCOME_ERROR", errorCode="x", startTime=_iso(NOW_NS))
    await stub(IngestServiceStub, channel).IngestLogs(make_request(log))

    async def listed(**filters: Any) -> list[str]:
        return [
            trace.root_name for trace in (await traces.ListTraces(pb.ListTracesRequest(**filters))).traces
        ]

    await eventually(lambda: _has(listed, 6))
    first = await traces.ListTraces(pb.ListTracesRequest(page_size=4))
    rest = await traces.ListTraces(pb.ListTracesRequest(page_size=4, page_token=first.next_page_token))
    names = [trace.root_name for trace in (*first.traces, *rest.traces)]
    assert names[:4] == ["run 4", "run 3", "run 2", "run 1"]
    assert (len(names), len(set(names)), rest.next_page_token) == (6, 6, "")
    assert await listed(name_query="RUN 3") == ["run 3"]
    assert await listed(session_id="s2") == ["run 2"]
    assert await listed(service_name="shop", min_duration=timedelta(milliseconds=350)) == ["run 4"]
    assert await listed(errors_only=True) == [f"chat {log.model}"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await traces.ListTraces(pb.ListTracesRequest(page_token=first.next_page_token, session_id="s"))
    assert info_of(caught.value)[0] == "PAGE_TOKEN_MISMATCH"


FROM_ELSEWHERE: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a parent that nobody sends": (
        [span(2, 9, **at(5, name="invoke_agent a", attributes=AGENT)), span(3, 2, **at(6, attributes=CALL))],
        "invoke_agent a",
    ),
    "several steps below what is missing": (
        [span(3, 9, **at(6, name="second")), span(2, 9, **at(5, name="first"))],
        "first",
    ),
    "a root that began after its children": (
        [span(2, 1, **at(5, name="child")), span(1, **at(6, name="root"))],
        "root",
    ),
    "two roots": ([span(1, **at(5, name="first")), span(2, **at(6, name="second"))], "first"),
    "what begins with its parent": (
        [span(2, 1, **at(5, name="child")), span(1, **at(5, name="root"))],
        "root",
    ),
}  # fmt: skip


@pytest.mark.parametrize("trace", FROM_ELSEWHERE)
async def test_a_trace_is_listed_once_wherever_it_began(server, worker, traces, trace):
    spans, root_name = FROM_ELSEWHERE[trace]
    for each in spans:
        await send(server, each)
    await eventually(lambda: _has_spans(traces, len(spans)))
    listed = await traces.ListTraces(pb.ListTracesRequest())
    assert [each.root_name for each in listed.traces] == [root_name]
    (found,) = (await traces.ListTraces(pb.ListTracesRequest(name_query=root_name))).traces
    assert found.trace_id == TRACE_ID


async def test_calls_without_spans_are_listed_by_the_first_of_a_trace(server, worker, traces, channel):
    logs = [
        make_log(traceId="a" * 32, parentSpanId="b" * 16, startTime=_iso(NOW_NS + number * MILLISECOND),
                 model=f"m{number}")
        for number in range(3)
    ]  # fmt: skip
    await stub(IngestServiceStub, channel).IngestLogs(make_request(*logs))

    async def listed() -> list[tuple[str, int]]:
        answer = await traces.ListTraces(pb.ListTracesRequest())
        return [(trace.root_name, trace.call_count) for trace in answer.traces]

    async def stored() -> bool:
        return await listed() != []

    await eventually(stored)
    assert await listed() == [("chat m0", 3)]


async def test_a_round_sum_of_tokens_is_a_number_like_any_other(server, worker, traces, channel):
    # Postgres adds integers up to a numeric, and 10,000 of that type is 1E+4 to its driver.
    logs = [make_log(traceId="a" * 32, inputTokenCount=4_000, outputTokenCount=1_000) for _ in range(2)]
    for log in logs:
        log.ClearField("total_token_count")
    await stub(IngestServiceStub, channel).IngestLogs(make_request(*logs))

    async def summed() -> bool:
        listed = (await traces.ListTraces(pb.ListTracesRequest())).traces
        return [(trace.call_count, trace.total_token_count) for trace in listed] == [(2, 10_000)]

    await eventually(summed)


async def test_roots_are_found_among_many_other_parts(server, worker, traces, database, monkeypatch):
    monkeypatch.setattr("storage.spans._FIRST_PARTS", 2)
    for number in range(3):
        trace_id = f"{number + 1:032x}"
        root = span(1, traceId=trace_id, **at(number, name=f"run {number}"))
        await send(server, root, *(span(n, 1, traceId=trace_id, **at(number)) for n in range(2, 9)))
    await eventually(lambda: _has_spans(traces, 8, f"{3:032x}"))
    first = await traces.ListTraces(pb.ListTracesRequest(page_size=2))
    rest = await traces.ListTraces(pb.ListTracesRequest(page_size=2, page_token=first.next_page_token))
    names = [trace.root_name for trace in (*first.traces, *rest.traces)]
    assert (names, rest.next_page_token) == (["run 2", "run 1", "run 0"], "")


async def _has_spans(traces, count: int, trace_id: str = TRACE_ID) -> bool:
    found = await traces.GetTrace(pb.TraceServiceGetTraceRequest(trace_id=trace_id))
    return len(found.spans) == count


@pytest.mark.parametrize("seconds", [-1, 2**63 - 1, -(2**63)])
async def test_a_shortest_duration_is_a_duration(traces, seconds):
    request = pb.ListTracesRequest(min_duration=Duration(seconds=seconds))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await traces.ListTraces(request)
    reason, _, fields = info_of(caught.value)
    assert (reason, fields) == ("INVALID_FIELD", ["min_duration"])


async def _has(listed, count: int) -> bool:
    return len(await listed()) == count


def _iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat().replace("+00:00", "Z")


async def test_the_spans_of_an_erased_users_traces_are_deleted(server, worker, traces, database, sql):
    await send(
        server, span(1, **now(attributes=AGENT)), span(2, 1, **now(attributes={**CALL, "user.id": "u-1"}))
    )
    await send(server, span(3, traceId="e" * 32, **now(attributes=AGENT)))
    await get_trace(traces, 2, 1)
    await UserErasure(database, None, 60.0, lambda *_: None).erase("default", "u-1", "ops")
    assert await sql.fetch("SELECT trace_id FROM spans WHERE trace_id <> $1", "e" * 32) == []


async def test_days_are_dropped_after_their_own_retention(database, sql, server, worker, traces):
    await send(server, span(1, **now(attributes=AGENT)), span(2, attributes=AGENT))
    await get_trace(traces, 2)
    today = datetime.now(UTC).date()
    await ensure_span_partitions(database, today, 14)
    assert await drop_old_spans(database, today, 0) == 0
    await drop_old_spans(database, today + timedelta(days=1), 1)
    kept = await sql.fetchval("SELECT count(*) FROM spans")
    assert kept == 1 + (
        datetime.combine(today, datetime.min.time(), UTC).timestamp() <= START_NS // 1_000_000_000
    )
    await drop_old_spans(database, today + timedelta(days=2), 1)
    assert await sql.fetchval("SELECT count(*) FROM spans") == 0


async def test_recordings_keep_every_span(server, worker, traces, sql):
    known = recordings()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.otlp_http.port}") as client:
        for recording in known:
            for request in recording["requests"]:
                if request["signal"] == "traces":
                    answer = await client.post("/v1/traces", content=json.dumps(request["body"]), headers={
                        "content-type": "application/json"})  # fmt: skip
                    assert answer.status_code == 200
    wanted = sum(recording["expected"]["span_count"] for recording in known)

    async def count() -> bool:
        return bool(await sql.fetchval("SELECT count(*) FROM spans") == wanted)

    await eventually(count)
    assert pairs({}) == []

"""Our SDK's spans end as rows, in one trace with the calls inside."""

from __future__ import annotations

import asyncio

import grpc
import llm_observe
import pytest
from llm_observe import _runtime
from llm_observe.v1 import trace_service_pb2 as pb
from llm_observe.v1.ingest_service_pb2 import IngestSpansRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from llm_observe.v1.span_pb2 import SPAN_STATUS_ERROR, SPAN_STATUS_OK, Span
from llm_observe.v1.trace_service_pb2_grpc import TraceServiceStub

from storage import api_keys
from tests.support.keys import make_key
from tests.support.rpc import bearer, info_of, stub
from tests.support.spans import make_span
from tests.support.waiting import WAIT_S, eventually


@pytest.fixture
def sdk(monkeypatch, server):
    """The SDK of an application that sends to the server."""
    monkeypatch.setattr(_runtime, "_runtime", None)
    llm_observe.configure(endpoint=f"127.0.0.1:{server.port}")
    yield
    llm_observe.shutdown(5)


@llm_observe.observe(operation="execute_tool", name="lookup")
def look_up(question: str) -> str:
    raise LookupError("nobody@example.com knows " + question)


@llm_observe.observe(operation="invoke_agent", name="helper")
async def help_somebody(question: str) -> str:
    llm_observe.log(provider="demo", model="thinker", input_tokens=3, output_tokens=4)
    try:
        await asyncio.to_thread(look_up, question)
    except LookupError:
        llm_observe.log(provider="demo", model="writer")
    return "done"


async def test_an_agent_of_our_sdk_becomes_a_trace(sdk, server, worker, channel, sql):
    with llm_observe.session("s-1", traceparent=f"00-{'c' * 32}-{'d' * 16}-00"):
        await help_somebody("what?")
    assert await asyncio.to_thread(llm_observe.flush, WAIT_S) == (4, 0, 0)
    traces = stub(TraceServiceStub, channel)

    async def whole():
        found = await traces.GetTrace(pb.TraceServiceGetTraceRequest(trace_id="c" * 32))
        return found if (len(found.spans), len(found.logs)) == (2, 2) else None

    found = await eventually(whole)
    agent, tool = sorted(found.spans, key=lambda span: span.operation, reverse=True)
    assert (agent.name, agent.operation, agent.parent_span_id) == ("helper", "invoke_agent", "")
    assert (tool.name, tool.operation, tool.parent_span_id) == ("lookup", "execute_tool", agent.span_id)
    assert (agent.status, tool.status) == (SPAN_STATUS_OK, SPAN_STATUS_ERROR)
    assert (agent.session_id, agent.log_id) == ("s-1", "")
    assert agent.attributes["input.value"] == "what?"
    assert tool.attributes["error.type"] == "LookupError"
    assert tool.status_message == "[EMAIL] knows what?"
    assert {log.parent_span_id for log in found.logs} == {agent.span_id}
    (listed,) = (await traces.ListTraces(pb.ListTracesRequest())).traces
    assert (listed.root_name, listed.call_count, listed.span_count) == ("helper", 2, 2)
    assert listed.total_token_count == 7
    assert await sql.fetchval("SELECT count(*) FROM logs") == 2


async def test_each_wrong_span_is_rejected_alone_and_repeating_is_safe(server, worker, channel, sql):
    ingest = stub(IngestServiceStub, channel)
    wrong = make_span(2, name="x" * 300)
    request = IngestSpansRequest(spans=[make_span(1), wrong, make_span(3)])
    for _ in range(2):
        answer = await ingest.IngestSpans(request)
        assert (answer.accepted_span_count, answer.rejected_span_count) == (2, 1)
        assert [(each.index, each.message) for each in answer.rejected_spans] == [
            (1, "name: at most 200 characters")
        ]

    async def stored():
        return await sql.fetchval("SELECT count(*) FROM spans") == 2

    await eventually(stored)


@pytest.mark.parametrize(
    ("spans", "reason"),
    [
        ([], "BATCH_EMPTY"),
        ([make_span()] * 501, "BATCH_TOO_LARGE"),
        ([make_span(status_message="x" * 1_100_000)] * 4, "BATCH_TOO_LARGE"),
    ],
    ids=["empty", "too many", "too large"],
)
async def test_a_wrong_request_is_refused(spans: list[Span], reason, server, channel):
    with pytest.raises(grpc.RpcError) as refused:
        await stub(IngestServiceStub, channel).IngestSpans(IngestSpansRequest(spans=spans))
    assert reason in info_of(refused.value)


async def test_spans_belong_to_the_project_of_the_key(locked_channel, database, worker, sql):
    ours = await make_key(database, *api_keys.ROLES, project="ours")
    theirs = await make_key(database, *api_keys.ROLES, project="theirs")
    ingest = stub(IngestServiceStub, locked_channel)
    for key, name in ((ours, "ours"), (theirs, "theirs")):
        await ingest.IngestSpans(IngestSpansRequest(spans=[make_span(name=name)]), metadata=bearer(key))

    async def stored():
        rows = await sql.fetch("SELECT project_id, name FROM spans ORDER BY 1")
        return [tuple(row) for row in rows] == [("ours", "ours"), ("theirs", "theirs")]

    await eventually(stored)
    found = await stub(TraceServiceStub, locked_channel).GetTrace(
        pb.TraceServiceGetTraceRequest(trace_id="ab" * 16), metadata=bearer(theirs)
    )
    assert [span.name for span in found.spans] == ["theirs"]

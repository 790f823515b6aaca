"""One trace over application, server, queue and worker, as a collector sees it."""

from __future__ import annotations

import asyncio
import json
import re
import sys

import pytest
from llm_observe.v1.chat_service_pb2 import ChatTurn, StreamChatRequest
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from codec.batch import AcceptedBatch
from tests.support.deployment import Deployment, deployed
from tests.support.logs import make_log, make_request
from tests.support.otlp import Collector, running_collector
from tests.support.rpc import RPC_TIMEOUT_S, stub
from tests.support.waiting import eventually
from worker.queue.broker import LogBroker
from worker.queue.log_queue import WRITE_LOGS, queue_stats
from worker.queue.message import BATCHES, pack, to_queued

INGEST = "llm_observe.v1.IngestService/IngestLogs"
CHAT = "llm_observe.v1.ChatService/StreamChat"
WRITE = "process logs"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED, UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-01", f"00-{TRACE}-b7ad6b7169203331-00"


@pytest.fixture
def collector():
    with running_collector() as running:
        yield running


@pytest.fixture
async def deployment(tmp_path, database_url, queue_settings, collector):
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    async with deployed(tmp_path, database_url, queue_settings, **env) as (running, channel):
        yield running, channel


async def run_application(deployment: Deployment, endpoint: str, traces: int) -> list[str]:
    env = {
        **deployment.env,
        "LLM_OBSERVE_ENDPOINT": deployment.address,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "LLM_OBSERVE_BATCH_DELAY_S": "30",
    }
    application = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.traced_application", str(traces),
        env=env, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await application.communicate()
    assert application.returncode == 0
    return output.decode().split()


async def spans_of(collector: Collector, *names: str):
    """Wait for one span of each name."""
    return await eventually(
        lambda: all(collector.find(name) for name in names) and [collector.find(name)[0] for name in names]
    )


async def test_a_call_is_one_trace_from_the_application_to_the_worker(deployment, collector, sql):
    running, _ = deployment
    (trace_id,) = await run_application(running, collector.endpoint, 1)
    question, ingest, write = await spans_of(collector, "answer a question", INGEST, WRITE)
    assert {span.trace_id for span in (question, ingest, write)} == {trace_id}
    assert [ingest.parent_id, write.parent_id] == [question.span_id, ingest.span_id]
    services = ["application", "llm-observe-server", "llm-observe-worker"]
    assert [question.service, ingest.service, write.service] == services
    assert [ingest.kind, write.kind] == [2, 5]
    assert ingest.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": INGEST,
        "rpc.response.status_code": "OK",
    }
    assert write.attributes["llm_observe.logs.stored"] == 1
    row = await sql.fetchrow("SELECT trace_id, parent_span_id FROM logs")
    assert (row["trace_id"], row["parent_span_id"]) == (trace_id, question.span_id)


async def test_a_batch_of_several_traces_is_linked_with_each(deployment, collector):
    running, _ = deployment
    traces = await run_application(running, collector.endpoint, 3)
    ingest, write = await spans_of(collector, INGEST, WRITE)
    await eventually(lambda: len(collector.find("answer a question")) == 3)
    assert ingest.links == [span.span_id for span in collector.find("answer a question")]
    assert ingest.trace_id not in traces
    assert ingest.parent_id == ""
    assert write.parent_id == ingest.span_id


async def test_batches_that_are_written_together_are_linked_with_each(
    tmp_path, database_url, queue_settings, collector
):
    parents = [f"00-{number:032x}-{number:016x}-01" for number in (1, 2, 3)]
    batches = [
        to_queued(
            AcceptedBatch(make_request(make_log()).SerializeToString(), "default", number, 1, 0, parent)
        )
        for number, parent in enumerate(parents, 1)
    ]
    head = {"task_id": "1", "task_name": WRITE_LOGS, "labels": {}, "args": []}
    broker = LogBroker(queue_settings)
    await broker.append(pack(head, {BATCHES: batches}))
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_METRICS_EXPORTER": "none"}
    worker = Deployment(tmp_path, database_url, queue_settings, **env)
    worker.start_worker()
    try:
        await eventually(lambda: _is_empty(broker))
    finally:
        worker.stop_all()
    await broker.shutdown()
    (write,) = collector.find(WRITE)
    assert write.links == [f"{number:016x}" for number in (1, 2, 3)]
    assert write.attributes["messaging.batch.message_count"] == 3


async def _is_empty(broker: LogBroker) -> bool:
    return (await queue_stats(broker)).depth == 0


async def test_a_chat_turn_is_one_trace_with_its_stored_log(deployment, collector, sql):
    _, channel = deployment
    turn = ChatTurn(session_id="s", provider="demo", content="hello")
    call = stub(ChatServiceStub, channel).StreamChat(
        StreamChatRequest(turn=turn), timeout=RPC_TIMEOUT_S, metadata=(("traceparent", SAMPLED),)
    )
    async for _ in call:
        pass
    rpc, chat, write = await spans_of(collector, CHAT, "chat demo-echo", WRITE)
    assert {span.trace_id for span in (rpc, chat, write)} == {TRACE}
    assert [rpc.parent_id, chat.parent_id, write.parent_id] == [
        SAMPLED.split("-")[2],
        rpc.span_id,
        chat.span_id,
    ]
    assert chat.kind == 3
    assert chat.attributes["gen_ai.operation.name"] == "chat"
    assert chat.attributes["gen_ai.provider.name"] == "demo"
    assert chat.attributes["gen_ai.request.model"] == "demo-echo"
    row = await sql.fetchrow("SELECT trace_id, parent_span_id FROM logs")
    assert (row["trace_id"], row["parent_span_id"]) == (TRACE, chat.span_id)


@pytest.mark.parametrize("first", [UNSAMPLED, SAMPLED, "nonsense", f"ff{SAMPLED[2:]}", None])
async def test_a_callers_decision_not_to_sample_holds_everywhere(deployment, collector, first):
    _, channel = deployment
    ingest = stub(IngestServiceStub, channel).IngestLogs
    metadata = (("traceparent", first),) if first else ()
    await ingest(make_request(make_log()), timeout=RPC_TIMEOUT_S, metadata=metadata)
    mark = f"00-{'1' * 32}-{'2' * 16}-01"
    await ingest(make_request(make_log()), timeout=RPC_TIMEOUT_S, metadata=(("traceparent", mark),))
    await eventually(lambda: any(span.trace_id == "1" * 32 for span in collector.find(WRITE)))
    traces = {span.trace_id for span in collector.find(INGEST)} - {"1" * 32}
    # What is malformed is no decision: a new trace begins.
    assert len(traces) == (0 if first == UNSAMPLED else 1)
    assert (TRACE in traces) == (first == SAMPLED)


async def test_failures_are_marked_without_their_text(deployment, collector):
    _, channel = deployment
    with pytest.raises(Exception, match="must contain"):
        await stub(IngestServiceStub, channel).IngestLogs(IngestLogsRequest(), timeout=RPC_TIMEOUT_S)
    (span,) = await spans_of(collector, INGEST)
    assert span.attributes["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert not span.failed  # the caller's mistake
    assert not span.raw.events
    assert not span.raw.status.message


async def test_a_written_batch_is_logged_with_its_trace(deployment, collector):
    running, channel = deployment
    await stub(IngestServiceStub, channel).IngestLogs(
        make_request(make_log()), timeout=RPC_TIMEOUT_S, metadata=(("traceparent", SAMPLED),)
    )
    line = await eventually(lambda: re.search('.*"batch written".*', running.output("worker")))
    assert json.loads(line[0])["trace_id"] == TRACE

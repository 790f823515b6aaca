"""No text, address or exception reaches a span or a metric; a collector that is away is not noticed."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
import rotel
from llm_observe.v1.admin_service_pb2 import CreateProjectRequest
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.chat_service_pb2 import ChatRequest, ChatTurn
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from llm_observe.v1.log_pb2 import Log

from tests.support.deployment import Deployment, deployed
from tests.support.logs import make_log, make_request
from tests.support.otlp import running_collector
from tests.support.ports import free_port
from tests.support.rpc import RPC_TIMEOUT_S, stub
from tests.support.scrape import read
from tests.support.waiting import eventually

CANARY = "xanaryx"
INGEST = "llm_observe.v1.IngestService/IngestLogs"
PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


def filled(message, **fields):
    """Fill every text field of a message that is not given."""
    for field in message.DESCRIPTOR.fields:
        if field.name in fields or field.message_type is not None:
            continue
        if field.type == field.TYPE_STRING:
            getattr(message, field.name).append(CANARY) if field.is_repeated else setattr(
                message, field.name, CANARY
            )
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def logs() -> list[Log]:
    """Return logs with the canary in every text: a valid one, and one for each id that it makes invalid."""
    valid = make_log()
    ids = {"log_id": valid.log_id, "trace_id": "", "span_id": "", "parent_span_id": ""}
    full = filled(make_log(metadata={CANARY: CANARY}), **ids)
    invalid = [filled(make_log(), **{**ids, name: CANARY}) for name in ids]
    return [full, *invalid]


async def attempt(call, request, *metadata) -> None:
    """Make a call, whatever becomes of it."""
    with suppress(grpc.aio.AioRpcError):
        answer = call(request, timeout=RPC_TIMEOUT_S, metadata=(("traceparent", PARENT), *metadata))
        await answer


async def test_no_text_reaches_a_span_or_a_metric(tmp_path, database_url, queue_settings, provider_mock):
    server_port, worker_port = free_port(), free_port()
    with running_collector() as collector:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OPENAI_API_KEY": CANARY,
            "OPENAI_BASE_URL": f"{provider_mock.base_url}/v1",
        }
        deployment = Deployment(tmp_path, database_url, queue_settings, **env)
        try:
            await deployment.start_server(LLM_OBSERVE_METRICS_PORT=str(server_port))
            deployment.start_worker(LLM_OBSERVE_METRICS_PORT=str(worker_port))
            async with grpc.aio.insecure_channel(deployment.address) as channel:
                await call_everything(channel, provider_mock)
            await eventually(lambda: len(collector.find("process logs")) >= 1)
            texts = [read(server_port), await eventually(lambda: _read(worker_port))]
        finally:
            deployment.stop_all()
    texts += map(str, collector.requests)
    assert len(collector.find("chat")) >= 2  # models that nobody offers are not named
    for text in texts:
        found = re.search(rf"{CANARY}|127\.0\.0\.1|localhost|ipv[46]:|Traceback|[Ii]nvalid value", text)
        assert found is None, text[max(0, found.start() - 200) : found.end() + 50]
    assert not any(span.raw.events or span.raw.status.message for span in collector.spans)


def _read(port: int) -> str:
    with suppress(OSError):
        return read(port)
    return ""


async def call_everything(channel, provider_mock) -> None:
    ingest = stub(IngestServiceStub, channel).IngestLogs
    producer = filled(ProducerReport(batch_number=1), producer_id=make_log().log_id)
    producer.dropped_counts[CANARY] = 1
    await attempt(ingest, IngestLogsRequest(logs=logs(), producer=producer))
    await attempt(ingest, make_request(make_log()), ("authorization", f"Bearer {CANARY}"))
    await attempt(ingest, make_request(make_log()), (f"x-{CANARY}", CANARY), ("llm-observe-links", CANARY))
    await attempt(stub(AdminServiceStub, channel).CreateProject, filled(CreateProjectRequest()))
    chat = stub(ChatServiceStub, channel).Chat
    for behaviour in ({"text": CANARY}, {"status": 500, "text": CANARY}):
        provider_mock.default_behaviour = behaviour
        turn = filled(ChatTurn(), provider="openai", conversation_id="", request_id="")
        turn.metadata[CANARY] = CANARY
        await attempt(chat, ChatRequest(turn=turn))
    await attempt(chat, ChatRequest(turn=filled(ChatTurn())))


@pytest.fixture(params=["refuses", "is silent"])
def absent_collector(request):
    """An address at which nobody listens, or nobody answers."""
    if request.param == "refuses":
        yield f"http://127.0.0.1:{free_port()}"
    else:
        with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"


async def test_a_collector_that_is_away_is_not_noticed(
    tmp_path, database_url, queue_settings, absent_collector, sql
):
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": absent_collector,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "100000",  # seconds: without a limit of ours, the exit would take a day
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
    }
    async with deployed(tmp_path, database_url, queue_settings, **env) as (deployment, channel):
        for _ in range(20):
            await stub(IngestServiceStub, channel).IngestLogs(
                make_request(make_log()), timeout=RPC_TIMEOUT_S, metadata=(("traceparent", PARENT),)
            )
        await eventually(lambda: sql.fetchval("SELECT count(*) = 20 FROM logs"))
    for name in ("server", "worker"):
        assert deployment.running[name].returncode == 0
        lines = [json.loads(line) for line in deployment.output(name).splitlines()]  # no other output
        # The worker may take longer to start than the server waits before it says so.
        assert [line for line in lines if line["level"] != "info" and line.get("kind") != "no_worker"] == []


async def test_a_real_collector_understands_what_is_sent(tmp_path, database_url, queue_settings):
    """Rotel receives it, and passes it on to ours."""
    port = free_port()
    with running_collector() as collector:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
        }
        deployment = Deployment(tmp_path, database_url, queue_settings, **env)
        agent = Path(rotel.__file__).parent / "rotel-agent"
        arguments = [
            "start", "--otlp-grpc-endpoint", f"127.0.0.1:{port}",
            "--otlp-http-endpoint", f"127.0.0.1:{free_port()}", "--exporter", "otlp",
            "--otlp-exporter-endpoint", collector.endpoint,
        ]  # fmt: skip
        try:
            deployment.start_program("rotel", [str(agent), *arguments])
            await deployment.start_server()
            deployment.start_worker()
            application = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.support.traced_application", "1",
                env={**deployment.env, "LLM_OBSERVE_ENDPOINT": deployment.address},
                stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            assert await application.wait() == 0
            names = ("answer a question", INGEST, "process logs")
            await eventually(lambda: all(collector.find(name) for name in names))
            await eventually(lambda: ("llm-observe-worker", "llm_observe_write_logs") in collector.metrics())
        finally:
            deployment.stop_all()
    question, ingest, write = (collector.find(name)[0] for name in names)
    assert question.trace_id == ingest.trace_id == write.trace_id
    assert [ingest.parent_id, write.parent_id] == [question.span_id, ingest.span_id]

"""What Prometheus reads is what happened, to the log; what OTLP says is the same."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from contextlib import suppress

import grpc
import psutil
from llm_observe.v1.chat_service_pb2 import ChatRequest, ChatTurn
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.event_service_pb2 import WatchLogsRequest
from llm_observe.v1.event_service_pb2_grpc import EventServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from storage.ledger import count_sdk_drops
from telemetry.metrics import TABLE
from tests.support.deployment import Deployment
from tests.support.logs import make_log
from tests.support.otlp import running_collector
from tests.support.ports import free_port
from tests.support.rpc import RPC_TIMEOUT_S, stub
from tests.support.scrape import Scrape, scrape
from tests.support.waiting import eventually

INGEST = "IngestService/IngestLogs"
WATCH = "EventService/WatchLogs"


async def send(channel, count: int, invalid: int = 0, **log) -> str:
    """Send a batch; return the status."""
    logs = [make_log(**log) for _ in range(count)] + [make_log(log_id="none") for _ in range(invalid)]
    try:
        await stub(IngestServiceStub, channel).IngestLogs(IngestLogsRequest(logs=logs), timeout=RPC_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_known_traffic_is_counted_exactly(tmp_path, database_url, queue_settings):
    server_port, worker_port = free_port(), free_port()
    deployment = Deployment(tmp_path, database_url, queue_settings, LLM_OBSERVE_INGEST_LOGS_PER_MINUTE="600")
    try:
        await deployment.start_server(LLM_OBSERVE_METRICS_PORT=str(server_port))
        deployment.start_worker(LLM_OBSERVE_METRICS_PORT=str(worker_port))
        async with grpc.aio.insecure_channel(deployment.address) as channel:
            codes = [await send(channel, 10, invalid=2) for _ in range(3)]
            codes.append(await send(channel, 5, model="nobodys-model"))
            codes.append(await send(channel, 0))
            # How many pass depends on when the minute ends.
            large = [await send(channel, 500) for _ in range(5)]
            turn = ChatTurn(session_id="s", provider="demo", content="hello")
            await stub(ChatServiceStub, channel).Chat(ChatRequest(turn=turn), timeout=RPC_TIMEOUT_S)
        statuses = Counter([*codes, *large])
        assert statuses["RESOURCE_EXHAUSTED"] >= 1
        accepted = 35 + 500 * large.count("OK") + 1  # chat's own call is logged, too
        server = await _when(server_port, "llm_observe_ingest_logs_total", accepted, result="accepted")
        worker = await _when(worker_port, "llm_observe_written_logs_total", accepted, result="stored")
    finally:
        deployment.stop_all()
    logs = "llm_observe_ingest_logs_total"
    assert server.value(logs, result="rejected") == 6
    assert server.value(logs, result="limited") == 500 * statuses["RESOURCE_EXHAUSTED"]
    assert server.value(logs, result="refused") == 0
    assert server.value("llm_observe_ingest_batch_logs_count") == statuses["OK"] + 1
    assert server.value("llm_observe_ingest_batch_logs_sum") == accepted + 6
    calls = "llm_observe_rpc_duration_seconds_count"
    for code in ("OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"):
        assert server.value(calls, method=INGEST, code=code) == statuses[code]
    assert server.value(calls, method="ChatService/Chat", code="OK") == 1
    answers = "llm_observe_provider_duration_seconds_count"
    assert server.value(answers, provider="demo", outcome="success") == 1
    assert server.value("llm_observe_queue_message_batches_sum") == statuses["OK"] + 1
    assert server.value("llm_observe_dependency_up", dependency="redis") == 1
    assert server.value("llm_observe_dependency_up", dependency="postgres") == 1
    assert worker.value("llm_observe_unpriced_logs_total") == 5 + 1  # nor has the demo model a price
    assert worker.value("llm_observe_write_logs_sum") == accepted
    # Series come with what happened: a server has 60 methods, of which most never end with most codes.
    assert len({labels for name, labels in server if name == calls}) < 10
    for found, process in ((server, "server"), (worker, "worker")):
        assert {name for name in found.names if not _is_documented(name, process)} == set()


def _is_documented(name: str, process: str) -> bool:
    return any(
        name.startswith(metric.name) for metric in TABLE if metric.process in {process, "every process"}
    )


async def _when(port: int, name: str, expected: float, **labels: str) -> Scrape:
    """Wait until a sample has a value."""

    async def find() -> Scrape | None:
        with suppress(OSError):
            found = await asyncio.to_thread(scrape, port)
            return found if found.value(name, **labels) == expected else None
        return None

    seen: Scrape = await eventually(find)
    return seen


async def test_several_server_processes_are_read_at_one_address(tmp_path, database_url, queue_settings):
    port = free_port()
    deployment = Deployment(tmp_path, database_url, queue_settings, LLM_OBSERVE_SERVER_PROCESSES="2")
    try:
        await deployment.start_server(LLM_OBSERVE_METRICS_PORT=str(port))
        for _ in range(12):  # connections are spread over the processes
            async with grpc.aio.insecure_channel(deployment.address) as channel:
                await send(channel, 3)
        children = await eventually(lambda: _servers(deployment))
        for child in children:
            child.kill()
        await eventually(lambda: len(set(_servers(deployment)) - set(children)) == 2)
        await eventually(lambda: _sends(deployment))
        found = await asyncio.to_thread(scrape, port)
        assert found.value("llm_observe_rpc_duration_seconds_count", method=INGEST, code="OK") == 13
        assert found.value("llm_observe_ingest_logs_total", result="accepted") == 39
    finally:
        deployment.stop_all()


def _servers(deployment: Deployment) -> list[psutil.Process]:
    found = []
    for child in deployment.running["server"].children():
        with suppress(psutil.Error):  # it has just died
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


async def _sends(deployment: Deployment) -> bool:
    """Send a batch, once: a process that is not ready refuses the connection."""
    async with grpc.aio.insecure_channel(deployment.address) as channel:
        await asyncio.wait_for(channel.channel_ready(), RPC_TIMEOUT_S)
        await send(channel, 3)
        return True


async def test_open_streams_are_those_that_are_open(tmp_path, database_url, queue_settings):
    port = free_port()
    env = {"LLM_OBSERVE_METRICS_PORT": str(port)}
    deployment = Deployment(tmp_path, database_url, queue_settings, **env)

    try:
        await deployment.start_server()
        async with grpc.aio.insecure_channel(deployment.address) as channel:
            calls = [stub(EventServiceStub, channel).WatchLogs(WatchLogsRequest()) for _ in range(3)]
            await _when(port, "llm_observe_rpc_open_streams", 3, method=WATCH)
            calls[0].cancel()
            found = await _when(port, "llm_observe_rpc_open_streams", 2, method=WATCH)
            seen = "llm_observe_rpc_duration_seconds_count"
            assert found.value(seen, method=WATCH, code="CANCELLED") == 1
            for call in calls:
                call.cancel()
    finally:
        deployment.stop_all()


async def test_otlp_sends_what_prometheus_reads(tmp_path, database_url, queue_settings):
    port = free_port()
    with running_collector() as collector:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
        }
        deployment = Deployment(tmp_path, database_url, queue_settings, **env)
        try:
            await deployment.start_server(LLM_OBSERVE_METRICS_PORT=str(port))
            async with grpc.aio.insecure_channel(deployment.address) as channel:
                await send(channel, 10, invalid=2)
            found = await asyncio.to_thread(scrape, port)
        finally:
            deployment.stop_all()
    sent = {name: metric for (_, name), metric in collector.metrics().items()}
    for point in sent["llm_observe_ingest_logs"].sum.data_points:
        (label,) = point.attributes
        value = found.value("llm_observe_ingest_logs_total", result=label.value.string_value)
        assert point.as_double == value
    (batches,) = sent["llm_observe_ingest_batch_logs"].histogram.data_points
    assert (batches.count, batches.sum) == (1, 12)
    assert sum(batches.bucket_counts) == 1
    assert batches.explicit_bounds[list(batches.bucket_counts).index(1)] == 25
    assert not collector.spans


async def test_drops_are_what_the_ledger_says_of_the_last_minutes(
    channel, worker, database, sql, queue_settings
):
    producer_id = str(uuid.uuid4())
    for number, dropped in (
        (1, {"queue_full": 5}),
        (2, {"queue_full": 7}),
        (3, {"queue_full": 7, "Jane": 2}),
    ):
        report = ProducerReport(
            producer_id=producer_id, batch_number=number, sent_count=number, dropped_counts=dropped
        )
        request = IngestLogsRequest(logs=[make_log()], producer=report)
        await stub(IngestServiceStub, channel).IngestLogs(request, timeout=RPC_TIMEOUT_S)
    await eventually(lambda: sql.fetchval("SELECT count(*) = 3 FROM producer_batches"))
    before, last = await sql.fetch(
        "SELECT receive_time FROM producer_batches WHERE batch_number < 3 ORDER BY batch_number"
    )
    drops = dict(await count_sdk_drops(database, since=before["receive_time"]))
    assert drops == {"queue_full": 7, "Jane": 2}
    drops = dict(await count_sdk_drops(database, since=last["receive_time"]))
    assert drops == {"queue_full": 2, "Jane": 2}

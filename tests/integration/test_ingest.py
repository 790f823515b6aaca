"""IngestLogs stores accepted logs exactly once, and reports each refused log."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import grpc
import pytest
from llm_observe.v1.analytics_service_pb2 import GetLogRequest, GetSummaryRequest
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, IngestLogsResponse
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub
from llm_observe.v1.log_pb2 import Log

from server.rpc import rate_limit
from storage.logs import count_logs, get_log
from tests.support.logs import make_log, make_request
from tests.support.rollups import assert_rollups_are_right
from tests.support.rpc import RPC_TIMEOUT_S, info_of, stub
from tests.support.waiting import eventually
from worker.queue import log_queue
from worker.queue.broker import LogBroker


@pytest.fixture
def ingest(channel):
    return stub(IngestServiceStub, channel)


async def test_a_log_sent_100_times_concurrently_is_stored_and_counted_once(
    ingest, worker, channel, database
):
    request = make_request(make_log())
    await asyncio.gather(*(ingest.IngestLogs(request) for _ in range(100)))
    analytics = stub(AnalyticsServiceStub, channel)

    async def all_done():
        summary = await analytics.GetSummary(GetSummaryRequest())
        return summary.current.request_count

    await eventually(all_done)
    await eventually(lambda: queue_is_empty(channel))
    assert await all_done() == 1
    assert await count_logs(database, project_id="default") == 1
    await assert_rollups_are_right(database)


async def queue_is_empty(channel) -> bool:
    health = await stub(HealthServiceStub, channel).Check(CheckRequest())
    return bool(health.queue.depth == 0)


async def test_a_stored_log_equals_the_sent_log(ingest, worker, channel):
    log = make_log(
        operation="chat",
        firstTokenTime=None,
        timeToFirstToken="0.1s",
        cacheReadTokenCount=3,
        usageSource="USAGE_SOURCE_ESTIMATED",
        streamed=True,
        responseModel="gpt-4o-mini-2024",
        conversationId="c1",
        userId="u1",
        traceId="a" * 32,
        spanId="b" * 16,
        finishReason="stop",
        providerRequestId="req_1",
        inputPreview="hello",
        outputPreview="wörld 🌍",
        metadata={"tenant": "blue"},
        environment="production",
        release="1.2.3",
        tags=["a", "b"],
        serviceTier="flex",
        retryCount=0,
        cacheWriteTokenCount=9,
        cacheWrite1hTokenCount=4,
        audioInputTokenCount=2,
        audioOutputTokenCount=0,
        reportedCostNanoUsd=125_000,
        serverAddress="llm.example.com",
        providerResponseId="chatcmpl-9aBcDeFgHiJkLmNoPqRsTuVw",
        source="llm-observe-python",
    )
    await ingest.IngestLogs(make_request(log))
    analytics = stub(AnalyticsServiceStub, channel)

    async def stored():
        try:
            return (await analytics.GetLog(GetLogRequest(log_id=log.log_id))).log
        except grpc.aio.AioRpcError as error:
            assert info_of(error)[0] == "LOG_NOT_FOUND"
            return None

    found: Log = await eventually(stored)
    assert found.receive_time.seconds
    # A flex call with cached tokens and audio: the price list has no rate for some of them.
    assert found.price_version.startswith("genai-prices/")
    for set_by_server in ("receive_time", "price_version"):
        found.ClearField(set_by_server)
    assert found == log


async def test_the_worker_redacts_again_and_truncates(ingest, worker, channel):
    secret = "sk-" + "a1B2" * 10
    log = make_log(
        inputPreview=f"mail bob@example.com {'x' * 600}",
        errorMessage=f"key {secret} refused",
        metadata={"note": "call +1 415-555-0132"},
        sessionId="carol@example.com",
    )
    log.output_preview = "nul\x00byte"
    await ingest.IngestLogs(make_request(log))
    analytics = stub(AnalyticsServiceStub, channel)

    async def stored():
        try:
            return (await analytics.GetLog(GetLogRequest(log_id=log.log_id))).log
        except grpc.aio.AioRpcError:
            return None

    found: Log = await eventually(stored)
    assert found.input_preview.startswith("mail [EMAIL] xxx")
    assert len(found.input_preview) == 500
    assert found.error_message == "key [API_KEY] refused"
    assert found.metadata["note"] == "call [PHONE]"
    assert found.session_id == "[EMAIL]"
    assert found.output_preview == "nul\ufffdbyte"


BAD_LOGS: dict[str, dict[str, Any]] = {
    "log_id": {"logId": "not-a-uuid"},
    "session_id": {"sessionId": ""},
    "session_id long": {"sessionId": "x" * 201},
    "provider": {"provider": ""},
    "provider case": {"provider": "OpenAI"},
    "provider long": {"provider": "x" * 65},
    "model": {"model": "m" * 201},
    "operation": {"operation": "o" * 65},
    "outcome": {"outcome": 0},
    "outcome unknown": {"outcome": 9},
    "usage_source": {"usageSource": 9},
    "start_time future": {"startTime": "2999-01-01T00:00:00Z"},
    "start_time past": {"startTime": "1950-01-01T00:00:00Z"},
    "end_time": {"startTime": "2026-01-02T00:00:00Z", "endTime": "2026-01-01T00:00:00Z"},
    "first_token_time": {"startTime": "2026-01-02T00:00:00Z", "firstTokenTime": "2026-01-01T00:00:00Z"},
    "end_time future": {"endTime": "2999-01-01T00:00:00Z"},
    "first_token_time future": {"firstTokenTime": "2999-01-01T00:00:00Z"},
    "latency": {"latency": "-1s"},
    "latency long": {"latency": "604800.000000001s"},
    "time_to_first_token long": {"timeToFirstToken": "604801s"},
    "time_to_first_token": {"latency": "1s", "timeToFirstToken": "2s"},
    "input_token_count": {"inputTokenCount": -1},
    "output_token_count": {"outputTokenCount": -5},
    "total_token_count": {"totalTokenCount": -5},
    "cache_read_token_count": {"cacheReadTokenCount": -5},
    "reasoning_token_count": {"reasoningTokenCount": -5},
    "cache_write_1h_token_count": {"cacheWrite1hTokenCount": -5},
    "audio_input_token_count": {"audioInputTokenCount": -5},
    "audio_output_token_count": {"audioOutputTokenCount": -5},
    "reported_cost_nano_usd": {"reportedCostNanoUsd": -1},
    "retry_count": {"retryCount": -1},
    "http_status": {"httpStatus": 99},
    "service_tier": {"serviceTier": "t" * 33},
    "service_tier case": {"serviceTier": "Flex"},
    "server_address": {"serverAddress": "h" * 256},
    "provider_response_id": {"providerResponseId": "r" * 201},
    "source": {"source": "s" * 101},
    "metadata": {"metadata": {str(n): "x" for n in range(51)}},
    "metadata key": {"metadata": {"k" * 65: "x"}},
    "metadata value": {"metadata": {"k": "x" * 501}},
    "tags": {"tags": ["t"] * 21},
    "trace_id": {"traceId": "XYZ"},
    "span_id": {"spanId": "12"},
    "conversation_id": {"conversationId": "c" * 201},
}


@pytest.mark.parametrize("name", BAD_LOGS)
async def test_an_invalid_log_is_refused_alone(ingest, name):
    bad = make_log(**BAD_LOGS[name])
    alone = await ingest.IngestLogs(make_request(bad))
    assert (alone.accepted_log_count, alone.rejected_log_count) == (0, 1)
    among = await ingest.IngestLogs(make_request(make_log(), bad, make_log()))
    assert (among.accepted_log_count, among.rejected_log_count) == (2, 1)
    refusal = among.rejected_logs[0]
    assert (refusal.index, refusal.reason) == (1, "INVALID_LOG")
    assert refusal.message.startswith(name.split()[0] + ":")


async def test_a_log_that_cannot_be_decoded_is_refused_alone(channel):
    damaged = b"\x0a\x04\x12\x02\xff\xfe"
    send = channel.unary_unary(
        "/llm_observe.v1.IngestService/IngestLogs", response_deserializer=IngestLogsResponse.FromString
    )
    answer = await send(damaged + make_request(make_log()).SerializeToString())
    assert (answer.accepted_log_count, answer.rejected_log_count) == (1, 1)
    assert answer.rejected_logs[0].message == "cannot be decoded: texts must be UTF-8"
    assert answer.rejected_logs[0].index == 0


async def test_a_missing_start_time_is_refused(ingest):
    log = make_log()
    log.ClearField("start_time")
    assert (await ingest.IngestLogs(make_request(log))).rejected_logs[0].message == "start_time: is required"


async def test_refusals_never_quote_a_secret(ingest):
    secret = "sk-" + "z9Y8" * 10
    answer = await ingest.IngestLogs(make_request(make_log(logId=secret, sessionId=secret)))
    assert secret not in str(answer)


async def test_only_ten_refusals_are_listed(ingest):
    answer = await ingest.IngestLogs(make_request(*(make_log(model="") for _ in range(25))))
    assert (answer.rejected_log_count, len(answer.rejected_logs)) == (25, 10)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (IngestLogsRequest(), "BATCH_EMPTY"),
        (make_request(*(make_log() for _ in range(501))), "BATCH_TOO_LARGE"),
        (make_request(make_log(inputPreview="x" * 4_300_000)), "BATCH_TOO_LARGE"),
    ],
    ids=["empty", "501 logs", "over 4 MB"],
)
async def test_an_invalid_batch_is_refused_with_a_rich_status(ingest, request_, reason):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ingest.IngestLogs(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info_of(caught.value)[0] == reason
    assert info_of(caught.value)[2] == ["logs"]


async def test_a_batch_of_500_logs_is_accepted(ingest):
    answer = await ingest.IngestLogs(make_request(*(make_log() for _ in range(500))))
    assert answer.accepted_log_count == 500


async def test_unknown_conversations_and_extreme_numbers_are_stored(ingest, worker, database):
    log = make_log(conversationId=str(uuid.uuid4()), inputTokenCount=str(2**63 - 1), latency="604800s")
    assert (await ingest.IngestLogs(make_request(log))).accepted_log_count == 1

    async def stored():
        return await count_logs(database, project_id="default")

    assert await eventually(stored) == 1
    await assert_rollups_are_right(database)


async def test_without_a_queue_ingest_is_unavailable(stores, ingest):
    stores.running["valkey"].suspend()
    try:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ingest.IngestLogs(make_request(make_log()), timeout=RPC_TIMEOUT_S)
    finally:
        stores.running["valkey"].resume()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert info_of(caught.value)[0] == "QUEUE_UNAVAILABLE"


def test_queue_writes_time_out_within_the_promised_two_seconds():
    """Compares constants, since measured times would depend on the load of the machine."""
    assert rate_limit._TIMEOUT_S + log_queue._WRITE_TIMEOUT_S <= 2


async def test_the_last_duplicate_in_a_request_wins(ingest, worker, database):
    first, other = make_log(model="first"), make_log()
    last = make_log(model="last", log_id=first.log_id.upper())
    answer = await ingest.IngestLogs(make_request(first, other, last))
    assert (answer.accepted_log_count, answer.rejected_log_count) == (3, 0)

    async def stored():
        return await get_log(database, project_id="default", log_id=uuid.UUID(first.log_id))

    assert (await eventually(stored)).model == "last"
    assert await count_logs(database, project_id="default") == 2


async def test_a_connection_closed_by_redis_fails_no_call(ingest, queue_settings):
    broker = LogBroker(queue_settings)
    try:
        for sent in range(1, 4):
            await ingest.IngestLogs(make_request(make_log()))
            assert await broker.redis.xlen(broker.queue_name) == sent
            await broker.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    finally:
        await broker.shutdown()

"""An unexpected error shows a client only an id, which identifies the log line."""

from __future__ import annotations

import grpc
import pytest
from llm_observe.v1.analytics_service_pb2 import GetLogRequest
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.event_service_pb2 import WatchLogsRequest
from llm_observe.v1.event_service_pb2_grpc import EventServiceStub
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub
from structlog.testing import capture_logs

from tests.support.rpc import RPC_TIMEOUT_S, info_of, stub
from tests.support.server import running_server

PRIVATE_TEXT = "text of a user"


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_unexpected_error_is_internal_and_its_id_is_logged(channel, monkeypatch, streamed):
    def broken(*_, **__):
        raise RuntimeError(PRIVATE_TEXT)

    monkeypatch.setattr("server.reads.logs.logs.get_log", broken)
    monkeypatch.setattr("server.reads.events.LogMatcher", broken)
    with capture_logs() as lines, pytest.raises(grpc.aio.AioRpcError) as caught:
        if streamed:
            await stub(EventServiceStub, channel).WatchLogs(WatchLogsRequest()).read()
        else:
            log_id = "0198c0de-0000-7000-8000-000000000000"
            await stub(AnalyticsServiceStub, channel).GetLog(GetLogRequest(log_id=log_id))
    reason, metadata, _ = info_of(caught.value)
    assert (caught.value.code(), reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    shown = f"{caught.value.details()} {caught.value.debug_error_string()}"
    assert PRIVATE_TEXT not in shown
    assert "Traceback" not in shown
    (line,) = [line for line in lines if line["event"] == "unexpected error"]
    assert line["request_id"] == metadata["request_id"]
    assert line["request_id"] in str(caught.value.details())


async def test_an_undecodable_request_is_invalid(channel):
    for data in (b"\xff\xff\xff", b"\x0a\x02\xc3\x28"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/llm_observe.v1.AnalyticsService/GetLog")(data)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert info_of(caught.value)[2] == ["request"]


async def test_calls_beyond_the_concurrency_limit_are_refused(database_url, queue_settings):
    own = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
    async with (
        running_server(database_url, queue_settings, max_concurrent_calls=1) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}", options=own) as other,
    ):
        tail = stub(EventServiceStub, channel).WatchLogs(WatchLogsRequest())
        await tail.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub(HealthServiceStub, other).Check(CheckRequest(), timeout=RPC_TIMEOUT_S)
        tail.cancel()
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

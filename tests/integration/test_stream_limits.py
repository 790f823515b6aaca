"""However many streams are open, health and ingest find room."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from llm_observe.v1.event_service_pb2 import WatchLogsRequest
from llm_observe.v1.event_service_pb2_grpc import EventServiceStub

from server.rpc.streams import StreamLimits, TooManyStreams
from tests.support.keys import make_key
from tests.support.logs import make_log, make_request
from tests.support.methods import call
from tests.support.rpc import RPC_TIMEOUT_S, bearer, info_of, stub
from tests.support.server import running_server

PER_CALLER = 3


@asynccontextmanager
async def channel_to(database_url, queue_settings, **settings):
    async with (
        running_server(
            database_url, queue_settings, max_streams_per_caller=PER_CALLER, **settings
        ) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        yield channel


async def watch(channel, secret: str = ""):
    """Open a live tail and return it once it is open."""
    metadata = bearer(secret) if secret else ()
    tail = stub(EventServiceStub, channel).WatchLogs(WatchLogsRequest(), metadata=metadata)
    await tail.read()
    return tail


async def watch_health(channel):
    watching = stub(health_pb2_grpc.HealthStub, channel).Watch(health_pb2.HealthCheckRequest())
    await watching.read()
    return watching


async def reflect(channel):
    asking = stub(reflection_pb2_grpc.ServerReflectionStub, channel).ServerReflectionInfo()
    await asking.write(reflection_pb2.ServerReflectionRequest(list_services="*"))
    await asking.read()
    return asking


async def assert_refused(opening) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await opening
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info_of(caught.value)[0] == "SERVER_BUSY"
    error: Any = caught.value
    status = rpc_status.from_call(error)
    assert status is not None
    assert any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)


async def assert_answered(channel) -> None:
    checked = await stub(health_pb2_grpc.HealthStub, channel).Check(
        health_pb2.HealthCheckRequest(), timeout=RPC_TIMEOUT_S
    )
    assert checked.status == health_pb2.HealthCheckResponse.SERVING
    answer = await call(channel, "IngestService/IngestLogs", make_request(make_log()))
    assert answer.accepted_log_count == 1


@pytest.mark.parametrize("opening", [watch, watch_health, reflect])
async def test_a_caller_has_a_number_of_streams_of_a_method(database_url, queue_settings, opening):
    async with channel_to(database_url, queue_settings) as channel:
        streams = [await opening(channel) for _ in range(PER_CALLER)]
        await assert_refused(opening(channel))
        await assert_answered(channel)
        streams[0].cancel()

        while True:  # the server learns of it in a moment
            try:
                streams.append(await opening(channel))
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.01)
            else:
                break
        for stream in streams:
            stream.cancel()


async def test_streams_of_all_callers_leave_room(database_url, queue_settings, database):
    settings = {"require_keys": False, "max_concurrent_calls": 2 * PER_CALLER}
    secrets = [await make_key(database, "read") for _ in range(2)]
    async with channel_to(database_url, queue_settings, **settings) as channel:
        tails = [await watch(channel, secrets[number % 2]) for number in range(PER_CALLER)]
        await assert_refused(watch(channel, secrets[1]))
        await assert_answered(channel)
        (await watch_health(channel)).cancel()  # has room of its own
        for tail in tails:
            tail.cancel()


def test_a_stream_that_ends_makes_room_however_it_ends():
    limits = StreamLimits(per_caller=1, in_all=2)
    for _ in range(3):
        with pytest.raises(ValueError, match="end"), limits.opened("m", "a"):
            raise ValueError("end")
    with limits.opened("m", "a"), limits.opened("n", "a"):
        with pytest.raises(TooManyStreams, match="close some"), limits.opened("m", "a"):
            pass
        with pytest.raises(TooManyStreams, match="the server"), limits.opened("m", "b"):
            pass
    with limits.opened("m", "b"):
        pass

"""Whichever way a call ends, its client gets a status: one without waits for its own deadline."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import grpc
import pytest
from llm_observe.v1 import event_service_pb2
from llm_observe.v1 import health_service_pb2 as health_pb2
from llm_observe.v1.event_service_pb2_grpc import EventServiceStub
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

from server.rpc.auth import Authenticator
from server.rpc.errors import ShuttingDown
from server.rpc.pipeline import RpcPipeline
from server.rpc.streams import StreamLimits
from storage.errors import StorageUnavailable
from tests.support.rpc import RPC_TIMEOUT_S, info_of, stub


class Endings:
    """Serves one unary method and one stream, which end as ``raised`` says, after ``sent`` responses."""

    def __init__(self, raised: BaseException | None, sent: int = 0) -> None:
        self.raised = raised
        self.sent = sent
        self.begun = asyncio.Event()
        self.closed = asyncio.Event()

    async def _end(self) -> None:
        self.begun.set()
        if self.raised is None:
            await asyncio.Event().wait()
        raise self.raised or AssertionError

    async def Check(self, request, context):  # noqa: N802 - the method's name
        try:
            await self._end()
        finally:
            self.closed.set()

    async def WatchLogs(self, request, context):  # noqa: N802 - as above
        try:
            for _ in range(self.sent):
                yield event_service_pb2.WatchLogsResponse()
            await self._end()
        finally:
            self.closed.set()


class Running:
    """A gRPC server with these two methods."""

    def __init__(self, endings: Endings) -> None:
        no_database: Any = None  # callers have no key
        self._server = grpc.aio.server()
        limits = StreamLimits(per_caller=9, in_all=9)
        self.pipeline = RpcPipeline(self._server, Authenticator(no_database, required=False), limits)
        self.pipeline.add(endings, health_pb2.DESCRIPTOR)
        self.pipeline.add(endings, event_service_pb2.DESCRIPTOR)
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    async def __aenter__(self) -> Self:
        await self._server.start()
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self._server.stop(None)

    def call(self, method: str):
        if method == "unary":
            return stub(HealthServiceStub, self.channel).Check(
                health_pb2.CheckRequest(), timeout=RPC_TIMEOUT_S
            )
        request = event_service_pb2.WatchLogsRequest()
        return stub(EventServiceStub, self.channel).WatchLogs(request, timeout=RPC_TIMEOUT_S)


async def end_of(call) -> tuple[str, str]:
    """Return the status and the reason that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        if hasattr(call, "read"):
            while await call.read() is not grpc.aio.EOF:
                pass
        await call
    return caught.value.code().name, info_of(caught.value)[0]


METHODS = [("unary", 0), ("stream", 0), ("stream", 3)]
ENDS = [
    (ValueError(), ("INTERNAL", "INTERNAL")),
    (TimeoutError(), ("UNAVAILABLE", "DATABASE_UNAVAILABLE")),
    (StorageUnavailable("away"), ("UNAVAILABLE", "DATABASE_UNAVAILABLE")),
    (ShuttingDown(), ("UNAVAILABLE", "SHUTTING_DOWN")),
    # Of something that the call waits for, such as a task that several calls share.
    (asyncio.CancelledError(), ("INTERNAL", "INTERNAL")),
]


@pytest.mark.parametrize(("method", "sent"), METHODS)
@pytest.mark.parametrize(("raised", "expected"), ENDS, ids=lambda value: type(value).__name__)
async def test_every_error_of_a_call_has_a_status(method, sent, raised, expected):
    async with Running(Endings(raised, sent)) as running:
        assert await end_of(running.call(method)) == expected


@pytest.mark.parametrize(("method", "sent"), METHODS)
async def test_calls_that_a_server_ends_are_told_that_it_stops(method, sent):
    endings = Endings(None, sent)
    async with Running(endings) as running:
        call = running.call(method)
        ended = asyncio.create_task(end_of(call))
        await endings.begun.wait()
        running.pipeline.calls.stop()
        assert await ended == ("UNAVAILABLE", "SHUTTING_DOWN")
    assert endings.closed.is_set()


@pytest.mark.parametrize(("method", "sent"), METHODS)
async def test_a_client_that_leaves_ends_its_call(method, sent):
    endings = Endings(None, sent)
    async with Running(endings) as running:
        call = running.call(method)
        reading = asyncio.create_task(call.read() if method == "stream" else end_of(call))
        await endings.begun.wait()
        call.cancel()
        await asyncio.wait_for(endings.closed.wait(), RPC_TIMEOUT_S)
        await asyncio.gather(reading, return_exceptions=True)
        assert not running.pipeline.calls._tasks or await _emptied(running)


async def _emptied(running: Running) -> bool:
    while running.pipeline.calls._tasks:
        await asyncio.sleep(0)
    return True

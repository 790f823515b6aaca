"""A failed start closes what it has opened, and stopping closes resources in order."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import llm_observe
import pytest
from llm_observe._adapters.demo import DemoAdapter
from llm_observe.v1.chat_service_pb2 import ChatTurn, StreamChatRequest
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.event_service_pb2 import WatchLogsRequest
from llm_observe.v1.event_service_pb2_grpc import EventServiceStub
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

from server.admin.health import HealthService
from server.app import build_server
from server.chat.providers import Providers
from server.chat.service import ChatService
from server.listener import StartError
from server.reads.live_feed import LiveFeeds
from server.rpc import auth
from server.rpc.auth import Authenticator
from server.rpc.pipeline import RpcPipeline
from server.rpc.streams import StreamLimits
from storage.pool import Database
from tests.support.rpc import info_of, stub
from tests.support.server import SERVICES, make_config
from tests.support.waiting import eventually
from worker.queue.broker import LogBroker

RESOURCES = {Providers: "aclose", LogBroker: "shutdown", Database: "close"}
CLOSED = ["Providers", "LogBroker", "Database", "Database"]
"""A database for analytics alone, and one for everything else."""


@pytest.fixture
def closed(monkeypatch):
    """The names of the closed resources, in order."""
    order: list[str] = []

    def record(kind: type, method: str) -> None:
        original = getattr(kind, method)

        async def recorded(self, *arguments):
            order.append(kind.__name__)
            return await original(self, *arguments)

        monkeypatch.setattr(kind, method, recorded)

    for kind, method in {ChatService: "drain", LiveFeeds: "stop", **RESOURCES}.items():
        record(kind, method)
    return order


async def test_a_port_in_use_leaves_nothing_open(server, database_url, queue_settings, closed):
    before = asyncio.all_tasks()
    with pytest.raises(StartError, match=f":{server.port}: set LLM_OBSERVE_GRPC_PORT"):
        await build_server(make_config(database_url, queue_settings, port=server.port))
    assert closed == CLOSED
    assert asyncio.all_tasks() == before


async def test_an_invalid_sdk_setting_frees_the_port(
    database_url, queue_settings, closed, monkeypatch, unused_tcp_port
):
    config = make_config(database_url, queue_settings, port=unused_tcp_port)
    monkeypatch.setenv("LLM_OBSERVE_BATCH_DELAY_S", "soon")
    before = asyncio.all_tasks()
    with pytest.raises(llm_observe.ConfigError, match="LLM_OBSERVE_BATCH_DELAY_S"):
        await build_server(config)
    assert closed == CLOSED
    await eventually(lambda: asyncio.all_tasks() == before)
    monkeypatch.delenv("LLM_OBSERVE_BATCH_DELAY_S")
    await (await build_server(config)).stop(0)


async def test_stopping_ends_calls_before_closing_their_resources(database_url, queue_settings, closed):
    running = await build_server(make_config(database_url, queue_settings))
    await running.stop(0)
    assert closed == ["LiveFeeds", "ChatService", *CLOSED]


async def test_an_error_while_stopping_leaves_nothing_open(database_url, queue_settings, closed, monkeypatch):
    running = await build_server(make_config(database_url, queue_settings))
    monkeypatch.setattr(llm_observe, "shutdown", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await running.stop(0)
    assert closed[-4:] == CLOSED


async def test_a_stopping_server_tells_every_call_why_it_ends(database_url, queue_settings, monkeypatch):
    begun = asyncio.Event()

    async def hang(self, request, context):
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(HealthService, "Check", hang)
    monkeypatch.setattr(DemoAdapter, "_PACE_S", 3600)
    running = await build_server(make_config(database_url, queue_settings))
    turn = ChatTurn(session_id="s1", provider="demo", content="hello")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        chat = stub(ChatServiceStub, channel).StreamChat(StreamChatRequest(turn=turn))
        tail = stub(EventServiceStub, channel).WatchLogs(WatchLogsRequest())
        unary = stub(HealthServiceStub, channel).Check(CheckRequest())
        ended = [asyncio.create_task(reason_of(call)) for call in (unary, chat, tail)]
        await begun.wait()
        await eventually(
            lambda: running.chat._turns._in_flight and running.feeds._feeds["default"]._subscribers
        )
        await running.stop(0)
        assert await asyncio.gather(*ended) == ["SHUTTING_DOWN"] * 3


async def reason_of(call) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        if hasattr(call, "read"):
            while await call.read() is not grpc.aio.EOF:
                pass
        await call
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    return info_of(caught.value)[0]


class FakeGrpcServer:
    """Collects the handlers of the services that are added to it."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}

    def add_registered_method_handlers(self, service, handlers) -> None:
        self.handlers[service] = handlers


STREAMS = StreamLimits(per_caller=1, in_all=1)


@pytest.mark.parametrize("name", SERVICES)
def test_every_method_of_every_service_is_handled(name, database):
    grpc_server: Any = FakeGrpcServer()
    pipeline = RpcPipeline(grpc_server, Authenticator(database, required=True), STREAMS)
    pipeline.add(None, SERVICES[name].file)
    (handlers,) = grpc_server.handlers.values()
    streaming = {method.name: method.server_streaming for method in SERVICES[name].methods}
    assert {method: handler.response_streaming for method, handler in handlers.items()} == streaming


def test_a_service_without_an_access_rule_cannot_be_added(database, monkeypatch):
    monkeypatch.delitem(auth._SERVICE_ROLES, "HealthService")
    grpc_server: Any = FakeGrpcServer()
    pipeline = RpcPipeline(grpc_server, Authenticator(database, required=True), STREAMS)
    with pytest.raises(KeyError):
        pipeline.add(None, SERVICES["HealthService"].file)

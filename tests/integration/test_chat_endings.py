"""However an answer ends, its call has a status and one log, and the text received is stored."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager

import grpc
import llm_observe
import pytest
from llm_observe._adapters.demo import DemoAdapter
from llm_observe.redaction import cut
from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.conversation_service_pb2 import GetConversationRequest
from llm_observe.v1.conversation_service_pb2_grpc import ConversationServiceStub
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR

from server.ingest.loopback import LoopbackExporter
from server.rpc import pipeline
from tests.support.rpc import info_of, stub
from tests.support.server import mocked, start_server
from tests.support.timers import FakeTimers
from tests.support.waiting import eventually

PROVIDERS = ["openai", "anthropic", "gemini", "demo"]
SITUATIONS = ["endless", "silent", "slow reader"]
"""What the answer is doing when it is ended: being written, being waited for, or held back by its reader."""
LIMIT_S = 10
MAX_STORED_CHARS = 200_000
NEVER_S = 1e9
DEADLINE_S = 250
"""The deadline of calls in these tests: a call that reaches it has hung."""


@pytest.fixture
def timers(monkeypatch):
    """The clock of every chat timeout; nothing times out unless a test advances it."""
    fake = FakeTimers()
    monkeypatch.setattr("server.chat.turn.call_later", fake.call_later)
    return fake


@pytest.fixture(autouse=True)
def no_unexpected_errors(monkeypatch, caplog):
    """Fail a test in which our logger or gRPC's logs an error."""
    errors = []
    monkeypatch.setattr(pipeline.logger, "error", lambda event, **_: errors.append(event), raising=False)
    yield
    assert errors == []
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.fixture
def logs(monkeypatch):
    """The logs that the chat service's own calls have exported."""
    seen = []
    export = LoopbackExporter.export

    def recording(self, request, timeout_s):
        seen.extend(request.logs)
        return export(self, request, timeout_s)

    monkeypatch.setattr(LoopbackExporter, "export", recording)
    return seen


@pytest.fixture
async def serve(database_url, queue_settings, provider_mock):
    """Start a server with the given settings."""
    running = []

    async def start(**settings):
        server = await start_server(database_url, queue_settings, mocked(provider_mock), **settings)
        running.append(server)
        return server

    yield start
    for server in running:
        await server.stop(0.5)


@pytest.fixture
def arrange(provider_mock, monkeypatch):
    """Make every provider, including the demo model, answer as the situation needs."""

    def prepare(situation):
        words = {"endless": "word ", "silent": "word ", "slow reader": "word" * 1_000 + " "}[situation]
        paces = itertools.chain([0] * 6, itertools.repeat(3600 if situation == "silent" else 0))
        monkeypatch.setattr(DemoAdapter, "_words", staticmethod(lambda _: [words] * 1_000_000))
        monkeypatch.setattr(DemoAdapter, "_PACE_S", property(lambda _: next(paces)))
        provider_mock.default_behaviour = {
            "endless": {"chunks": 1_000_000},
            "silent": {"stall_after": 6},
            "slow reader": {"chunks": 5_000, "padding": 4_000},  # no transport buffers 20 MB
        }[situation]

    return prepare


class Answer:
    """One answer and what its reader has received of it."""

    def __init__(self, channel, provider):
        turn = pb.ChatTurn(session_id="s1", provider=provider, content="hello there")
        self.call = stub(ChatServiceStub, channel).StreamChat(
            pb.StreamChatRequest(turn=turn), timeout=DEADLINE_S
        )
        self.started = pb.ChatStarted()
        self.text = ""

    async def begin(self):
        """Read until the text begins."""
        self.started = (await self.call.read()).started
        while not self.text:
            self.text += (await self.call.read()).delta.text

    async def error(self) -> grpc.aio.AioRpcError:
        """Read all that is left, and return the error that ends it."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while (event := await self.call.read()) is not grpc.aio.EOF:
                self.text += event.delta.text
        return caught.value


@pytest.fixture
def held_back(provider_mock):
    """Wait until a slow reader seems to block the provider; a too early end has the same outcome."""

    async def wait(situation):
        sent = -1
        while situation == "slow reader" and sent != provider_mock.sent_events:
            sent = provider_mock.sent_events
            await asyncio.sleep(0.3)

    return wait


async def stored_answer(server, answer):
    """Wait for the stored message of an answer, and return it."""

    async def find():
        request = GetConversationRequest(conversation_id=answer.started.conversation_id)
        found = (await stub(ConversationServiceStub, channel).GetConversation(request)).messages
        assert len(found) <= 2
        return found[1:]

    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        return (await eventually(find))[0]


async def logs_of(answer, logs):
    async def find():
        await asyncio.to_thread(llm_observe.flush, 2)
        return [log for log in logs if log.log_id == answer.started.log_id]

    return await eventually(find)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_timeout_has_a_status_and_keeps_the_text_received(
    serve, timers, logs, arrange, held_back, provider_mock, provider, situation
):
    arrange(situation)
    timeout_s, idle_timeout_s = (NEVER_S, LIMIT_S) if situation == "silent" else (LIMIT_S, NEVER_S)
    server = await serve(chat_timeout_s=timeout_s, chat_idle_timeout_s=idle_timeout_s)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        answer = Answer(channel, provider)
        await answer.begin()
        await held_back(situation)
        timers.advance(LIMIT_S * 1.25)
        # The turn ends whether or not its reader continues.
        stored = await stored_answer(server, answer)
        error = await answer.error()
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert info_of(error)[0] == "PROVIDER_TIMEOUT"
    assert stored.outcome == OUTCOME_ERROR
    assert stored.content == cut(answer.text, MAX_STORED_CHARS)
    (log,) = await logs_of(answer, logs)
    assert (log.outcome, log.error_code) == (OUTCOME_ERROR, "PROVIDER_TIMEOUT")
    await eventually(lambda: provider_mock.open_streams == 0)
    assert timers.pending == 0


@pytest.mark.parametrize("situation", SITUATIONS)
async def test_a_drained_answer_has_a_status_and_keeps_the_text_received(
    serve, timers, logs, arrange, held_back, provider_mock, situation
):
    arrange(situation)
    server = await serve()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        answer = Answer(channel, "openai")
        await answer.begin()
        await held_back(situation)
        await server.chat.drain(0)
        stored = await stored_answer(server, answer)
        error = await answer.error()
        late = await Answer(channel, "openai").error()
    for refused in (error, late):
        assert refused.code() is grpc.StatusCode.UNAVAILABLE
        assert info_of(refused)[0] == "SHUTTING_DOWN"
    assert stored.outcome == OUTCOME_CANCELLED
    assert stored.content == cut(answer.text, MAX_STORED_CHARS)
    assert [log.outcome for log in await logs_of(answer, logs)] == [OUTCOME_CANCELLED]
    await eventually(lambda: provider_mock.open_streams == 0)
    assert timers.pending == 0


@asynccontextmanager
async def proxy(port):
    """Run a TCP proxy in front of the server; yield its port and a function that cuts every connection."""
    writers: list[asyncio.StreamWriter] = []
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader, writer):
        writers.append(writer)
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()

    async def connect(reader, writer):
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
        pumps.add(asyncio.create_task(pump(reader, server_writer)))
        pumps.add(asyncio.create_task(pump(server_reader, writer)))

    def cut():
        for writer in writers:
            writer.transport.abort()

    listener = await asyncio.start_server(connect, "127.0.0.1", 0)
    yield listener.sockets[0].getsockname()[1], cut
    cut()
    listener.close()
    await asyncio.gather(*pumps, return_exceptions=True)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("ending", ["cancels", "vanishes"])
async def test_a_disconnected_client_stops_the_provider_and_keeps_the_text_received(
    serve, timers, logs, arrange, held_back, provider_mock, ending, situation
):
    arrange(situation)
    server = await serve()
    async with (
        proxy(server.port) as (port, cut),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        answer = Answer(channel, "openai")
        await answer.begin()
        await held_back(situation)
        if ending == "cancels":
            answer.call.cancel()
        else:
            cut()
        stored = await stored_answer(server, answer)
    assert stored.outcome == OUTCOME_CANCELLED
    assert stored.content.startswith(answer.text)
    assert [log.outcome for log in await logs_of(answer, logs)] == [OUTCOME_CANCELLED]
    await eventually(lambda: provider_mock.open_streams == 0)
    assert timers.pending == 0


async def test_an_endless_answer_times_out_on_the_real_clock(serve, arrange):
    arrange("endless")
    server = await serve(chat_timeout_s=1)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        error = await Answer(channel, "demo").error()
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert info_of(error)[0] == "PROVIDER_TIMEOUT"

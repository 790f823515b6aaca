"""A chat streams ids first, then text as it arrives, then numbers; the turn is stored and logged."""

from __future__ import annotations

import asyncio
import sys
import uuid
from types import FrameType

import grpc
import pytest
from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.conversation_pb2 import ROLE_ASSISTANT, ROLE_USER
from llm_observe.v1.conversation_service_pb2 import GetConversationRequest
from llm_observe.v1.conversation_service_pb2_grpc import ConversationServiceStub
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_SUCCESS

from server.app import build_server
from server.chat import service
from server.rpc import rate_limit
from server.settings import ProviderSettings
from storage.logs import get_log
from tests.support.chat import VENDORS, fetch_log, make_turn, read_stream
from tests.support.processes import start_worker, stop
from tests.support.rpc import RPC_TIMEOUT_S, stub
from tests.support.server import make_config
from tests.support.waiting import eventually


@pytest.mark.parametrize("provider", [*VENDORS, "demo"])
async def test_a_stream_consists_of_started_deltas_and_finished(chat, conversations, provider):
    events = await read_stream(chat, make_turn(provider=provider))
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds[0] == "started"
    assert set(kinds[1:-1]) == {"delta"}
    assert kinds[-1] == "finished"
    started, finished = events[0].started, events[-1].finished
    assert finished.outcome == OUTCOME_SUCCESS
    assert finished.finish_reason == {"anthropic": "end_turn", "gemini": "STOP"}.get(provider, "stop")
    assert finished.call_stats.output_token_count > 0
    assert finished.call_stats.time_to_first_token.ToNanoseconds() > 0
    assert (
        finished.call_stats.latency.ToNanoseconds() >= finished.call_stats.time_to_first_token.ToNanoseconds()
    )
    text = "".join(event.delta.text for event in events)
    found = await conversations.GetConversation(
        GetConversationRequest(conversation_id=started.conversation_id)
    )
    assert found.conversation.title == "hello there"
    assert [(message.role, message.content) for message in found.messages] == [
        (ROLE_USER, "hello there"),
        (ROLE_ASSISTANT, text),
    ]
    assert found.messages[1].log_id == started.log_id


async def test_a_chat_call_is_logged(chat, channel, database_url, queue_settings, tmp_path):
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:
        answer = await chat.Chat(pb.ChatRequest(turn=make_turn(metadata={"page": "test"}, user_id="u1")))
        analytics = stub(AnalyticsServiceStub, channel)
        log = await eventually(lambda: fetch_log(analytics, answer.started.log_id))
    finally:
        stop(worker)
    assert log.outcome == OUTCOME_SUCCESS
    assert (log.session_id, log.user_id, dict(log.metadata)) == ("s1", "u1", {"page": "test"})
    assert log.conversation_id == answer.started.conversation_id
    assert log.input_preview == "hello there"
    assert log.output_preview == answer.content
    assert log.output_token_count == answer.finished.call_stats.output_token_count


async def test_history_system_prompt_and_parameters_reach_the_provider(chat, provider_mock):
    first = await chat.Chat(pb.ChatRequest(turn=make_turn(content="first")))
    again = make_turn(
        content="second", conversation_id=first.started.conversation_id, system_prompt="be brief"
    )
    again.parameters.temperature = 0.3
    again.parameters.max_output_tokens = 7
    again.parameters.stop_sequences.append("END")
    await chat.Chat(pb.ChatRequest(turn=again))
    sent = provider_mock.requests[-1]
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][0]["content"] == "be brief"
    assert sent["messages"][-1]["content"] == "second"
    assert (sent["temperature"], sent["max_completion_tokens"], sent["stop"]) == (0.3, 7, ["END"])


async def test_history_and_system_prompts_reach_every_vendor(chat, provider_mock):
    for provider in ("anthropic", "gemini"):
        first = await chat.Chat(pb.ChatRequest(turn=make_turn(provider=provider, content="first")))
        again = make_turn(provider=provider, content="second", conversation_id=first.started.conversation_id)
        again.system_prompt = "be brief"
        again.parameters.max_output_tokens = 7
        await chat.Chat(pb.ChatRequest(turn=again))
        sent = str(provider_mock.requests[-1])
        assert all(words in sent for words in ("first", first.content.strip(), "second", "be brief", "7")), (
            provider
        )


async def test_the_provider_gets_the_original_text_and_the_store_the_redacted(
    chat, conversations, provider_mock
):
    content = "my card is 4111 1111 1111 1111"
    answer = await chat.Chat(pb.ChatRequest(turn=make_turn(content=content)))
    assert provider_mock.requests[-1]["messages"][-1]["content"] == content
    found = await conversations.GetConversation(
        GetConversationRequest(conversation_id=answer.started.conversation_id)
    )
    assert found.messages[0].content == "my card is [CREDIT_CARD]"
    assert found.conversation.title == "my card is [CREDIT_CARD]"


@pytest.mark.parametrize(
    ("mode", "kept", "title"),
    [("full", "my card is 4111 1111 1111 1111", "my card is 4111 1111 1111 1111"), ("none", "", "")],
)
async def test_store_messages_selects_what_is_stored(
    database_url, queue_settings, provider_mock, mode, kept, title
):
    running = await build_server(
        make_config(
            database_url,
            queue_settings,
            ProviderSettings(openai_base_url=f"{provider_mock.base_url}/v1"),
            store_messages=mode,
        )
    )
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
            answer = await stub(ChatServiceStub, channel).Chat(
                pb.ChatRequest(turn=make_turn(content="my card is 4111 1111 1111 1111"))
            )
            found = await stub(ConversationServiceStub, channel).GetConversation(
                GetConversationRequest(conversation_id=answer.started.conversation_id)
            )
    finally:
        await running.stop(0.5)
    assert provider_mock.requests[-1]["messages"][-1]["content"] == "my card is 4111 1111 1111 1111"
    assert (found.messages[0].content, found.conversation.title) == (kept, title)
    assert len(found.messages) == 2


@pytest.mark.parametrize("provider", VENDORS)
async def test_a_cancelled_stream_stops_the_provider_and_keeps_the_text_received(
    chat, conversations, channel, provider_mock, database_url, queue_settings, tmp_path, provider
):
    provider_mock.default_behaviour = {"chunks": 500, "chunk_s": 0.02}
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:
        call = chat.StreamChat(pb.StreamChatRequest(turn=make_turn(provider=provider)))
        started = (await call.read()).started
        for _ in range(3):
            await call.read()
        assert provider_mock.open_streams == 1
        call.cancel()
        await eventually(lambda: provider_mock.open_streams == 0)
        analytics = stub(AnalyticsServiceStub, channel)
        log = await eventually(lambda: fetch_log(analytics, started.log_id))
    finally:
        stop(worker)
    assert log.outcome == OUTCOME_CANCELLED
    assert log.output_preview

    async def kept():
        found = await conversations.GetConversation(
            GetConversationRequest(conversation_id=started.conversation_id)
        )
        return found.messages[1:]

    messages = await eventually(kept)
    assert messages[0].outcome == OUTCOME_CANCELLED
    assert messages[0].content


async def test_stopping_the_server_finishes_answers_and_delivers_their_logs(
    chat, server, provider_mock, database, database_url, queue_settings, tmp_path
):
    provider_mock.default_behaviour = {"chunks": 20, "chunk_s": 0.03}
    events = aiter(chat.StreamChat(pb.StreamChatRequest(turn=make_turn())))
    started = (await anext(events)).started
    stopping = asyncio.create_task(server.stop(10))
    rest = [event async for event in events]
    await stopping
    assert rest[-1].WhichOneof("event") == "finished"
    worker = start_worker(database_url, queue_settings, tmp_path)
    try:

        async def stored():
            return await get_log(database, project_id="default", log_id=uuid.UUID(started.log_id))

        assert (await eventually(stored)).outcome == "success"
    finally:
        stop(worker)


async def test_list_models_reports_which_providers_are_configured(chat):
    found = {entry.provider: entry for entry in (await chat.ListModels(pb.ListModelsRequest())).providers}
    assert found["openai"].configured
    assert found["openai"].required_setting == "OPENAI_API_KEY"
    assert list(found["demo"].models) == ["demo-echo"]


async def test_a_turn_enters_the_chat_service_once(chat):
    """The service checks, begins and sends; nothing that it calls comes back to it.

    An entry is a call of a function that is defined in server/chat/service.py from a function that is not.
    A coroutine or generator is entered once, however often it is resumed: that is once for each chunk.
    """
    entries: list[str] = []
    frames: list[FrameType] = []  # kept, so that no two have the same id

    def is_service(frame):
        return frame is not None and frame.f_code.co_filename == service.__file__

    def profile(frame, event, _):
        if event == "call" and is_service(frame) and not any(frame is seen for seen in frames):
            frames.append(frame)
            if not is_service(frame.f_back):
                entries.append(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        events = await read_stream(chat, make_turn())
    finally:
        sys.setprofile(before)
    assert events[-1].WhichOneof("event") == "finished"
    assert entries == ["StreamChat"]


async def test_a_slow_reader_slows_down_the_provider(chat, provider_mock):
    """Nothing between the provider and the reader buffers without bound."""
    provider_mock.default_behaviour = {"chunks": 50_000, "padding": 4_000}
    call = chat.StreamChat(pb.StreamChatRequest(turn=make_turn()))
    await call.read()

    async def stands_still():
        before = provider_mock.sent_events
        await asyncio.sleep(1.5)
        return before and provider_mock.sent_events == before

    await eventually(stands_still)
    assert provider_mock.sent_events < 25_000
    assert (await call.read()).delta.text
    call.cancel()
    await eventually(lambda: provider_mock.open_streams == 0)


async def test_a_hundred_concurrent_streams_finish(chat, provider_mock, monkeypatch):
    monkeypatch.setattr(rate_limit, "_TIMEOUT_S", RPC_TIMEOUT_S)  # Redis may be slow on a busy machine
    provider_mock.default_behaviour = {"chunks": 20, "chunk_s": 0.01}
    answers = await asyncio.gather(
        *(read_stream(chat, make_turn(provider=VENDORS[n % 3], session_id=f"s{n}")) for n in range(100))
    )
    assert {events[-1].WhichOneof("event") for events in answers} == {"finished"}
    assert provider_mock.open_streams == 0

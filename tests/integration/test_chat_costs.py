"""What chat says an answer cost is what its log says later."""

from __future__ import annotations

import asyncio

import llm_observe
import pytest
from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2 import GetLogRequest
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.conversation_service_pb2 import GetConversationRequest
from llm_observe.v1.conversation_service_pb2_grpc import ConversationServiceStub

from tests.support.rpc import stub
from tests.support.waiting import eventually


async def find_log(channel, log_id):
    analytics = stub(AnalyticsServiceStub, channel)
    request = GetLogRequest(log_id=log_id)

    async def find():
        await asyncio.to_thread(llm_observe.flush, 2)
        try:
            return (await analytics.GetLog(request)).log
        except Exception:  # noqa: BLE001 - it is not stored yet
            return None

    return await eventually(find)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "demo"])
async def test_an_answer_its_message_and_its_log_have_one_cost(channel, worker, provider):
    chat = stub(ChatServiceStub, channel)
    turn = pb.ChatTurn(session_id="s1", provider=provider, content="hello there")
    events = [event async for event in chat.StreamChat(pb.StreamChatRequest(turn=turn))]
    whole = await chat.Chat(pb.ChatRequest(turn=turn))
    for started, finished in ((events[0].started, events[-1].finished), (whole.started, whole.finished)):
        log = await find_log(channel, started.log_id)
        found = await stub(ConversationServiceStub, channel).GetConversation(
            GetConversationRequest(conversation_id=started.conversation_id)
        )
        said, stored = finished.call_stats, found.messages[1].call_stats
        # Nobody sells the demo's model: its cost is unknown, which is not 0.
        assert said.HasField("cost_nano_usd") == (provider != "demo") == (said.cost_nano_usd > 0)
        for other in (log, stored):
            assert other.HasField("cost_nano_usd") == said.HasField("cost_nano_usd")
            assert other.cost_nano_usd == said.cost_nano_usd


async def test_a_turn_that_is_repeated_costs_what_it_cost(channel):
    chat = stub(ChatServiceStub, channel)
    turn = pb.ChatTurn(
        session_id="s1",
        provider="openai",
        content="hello there",
        request_id="01890a5d-ac96-774b-bcce-b302099a8057",
    )
    first, again = [await chat.Chat(pb.ChatRequest(turn=turn)) for _ in range(2)]
    assert first.finished.call_stats.cost_nano_usd > 0
    assert first == again

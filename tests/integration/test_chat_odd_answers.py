"""Whatever a compatible provider says, its answer is stored, sent and ended as a success."""

from __future__ import annotations

import pytest
from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.conversation_service_pb2 import GetConversationRequest
from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS

from stack.demo.provider_mock import openai
from tests.support.chat import make_turn, read_stream


@pytest.mark.parametrize("count", [2**70, -1, "many", 1.5, None])
@pytest.mark.parametrize("streamed", [True, False])
async def test_odd_usage_is_no_usage(chat, provider_mock, monkeypatch, count, streamed):
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    monkeypatch.setattr(openai, "_usage", lambda _: dict.fromkeys(names, count))
    assert not (await finished(chat, streamed)).call_stats.HasField("input_token_count")


@pytest.mark.parametrize("streamed", [True, False])
async def test_lone_surrogates_are_replaced(chat, conversations, provider_mock, streamed):
    provider_mock.default_behaviour = {"text": "half \ud83d and \udc00 half"}
    assert (await finished(chat, streamed)).finish_reason == "stop"
    (event, *_) = await read_stream(chat, make_turn())
    request = GetConversationRequest(conversation_id=event.started.conversation_id)
    answer = (await conversations.GetConversation(request)).messages[1]
    assert answer.content == "half \ufffd and \ufffd half "
    assert answer.outcome == OUTCOME_SUCCESS


async def finished(chat, streamed) -> pb.ChatFinished:
    if streamed:
        ended: pb.ChatFinished = (await read_stream(chat, make_turn()))[-1].finished
    else:
        ended = (await chat.Chat(pb.ChatRequest(turn=make_turn()))).finished
    return ended

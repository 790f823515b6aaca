"""Chat refuses invalid turns, and turns errors of providers into statuses with reasons."""

from __future__ import annotations

import uuid

import grpc
import pytest
from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.conversation_service_pb2 import GetConversationRequest
from llm_observe.v1.log_pb2 import OUTCOME_ERROR

from tests.support.chat import VENDORS, make_turn, read_stream
from tests.support.rpc import info_of


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (401, grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_UNAUTHENTICATED"),
        (429, grpc.StatusCode.RESOURCE_EXHAUSTED, "PROVIDER_RATE_LIMITED"),
        (500, grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE"),
        (529, grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE"),
        (400, grpc.StatusCode.FAILED_PRECONDITION, "CONTEXT_TOO_LONG"),
        (404, grpc.StatusCode.INVALID_ARGUMENT, "PROVIDER_REJECTED"),
    ],
)
@pytest.mark.parametrize("provider", VENDORS)
async def test_provider_errors_have_reasons_and_no_vendor_text(
    chat, provider_mock, provider, status, code, reason
):
    provider_mock.default_behaviour = {"status": status}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await chat.Chat(pb.ChatRequest(turn=make_turn(provider=provider)))
    assert caught.value.code() is code
    assert info_of(caught.value)[0] == reason
    assert "mock error" not in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        ("openai", "PROVIDER_UNAVAILABLE"),  # tells no status with it
        ("anthropic", "PROVIDER_RATE_LIMITED"),
        ("gemini", "PROVIDER_RATE_LIMITED"),
    ],
)
async def test_a_provider_error_during_a_stream_ends_it_with_its_reason(
    chat, provider_mock, provider, reason
):
    provider_mock.default_behaviour = {"error_after": 4}
    text = ""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for event in chat.StreamChat(pb.StreamChatRequest(turn=make_turn(provider=provider))):
            text += event.delta.text
    assert info_of(caught.value)[0] == reason
    assert "mock error" not in str(caught.value)
    assert text.startswith("Traces")


@pytest.mark.parametrize("provider", VENDORS)
async def test_a_broken_stream_is_an_error_and_keeps_the_text_received(
    chat, conversations, provider_mock, provider
):
    provider_mock.default_behaviour = {"cut_after": 4}
    conversation_id = ""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for event in chat.StreamChat(pb.StreamChatRequest(turn=make_turn(provider=provider))):
            conversation_id = conversation_id or event.started.conversation_id
    assert info_of(caught.value)[0] == "PROVIDER_UNAVAILABLE"
    found = await conversations.GetConversation(GetConversationRequest(conversation_id=conversation_id))
    assert found.messages[1].outcome == OUTCOME_ERROR
    assert found.messages[1].content


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"content": ""}, "INVALID_FIELD"),
        ({"session_id": ""}, "INVALID_FIELD"),
        ({"content": "x" * 100_001}, "INVALID_FIELD"),
        ({"content": "nul\x00"}, "INVALID_FIELD"),
        ({"provider": "acme"}, "PROVIDER_UNKNOWN"),
        ({"conversation_id": "x"}, "INVALID_FIELD"),
        ({"conversation_id": str(uuid.uuid4())}, "CONVERSATION_NOT_FOUND"),
        ({"parameters": pb.ChatParameters(temperature=3)}, "INVALID_FIELD"),
        ({"parameters": pb.ChatParameters(top_p=0)}, "INVALID_FIELD"),
        ({"parameters": pb.ChatParameters(max_output_tokens=0)}, "INVALID_FIELD"),
        ({"metadata": {str(n): "" for n in range(51)}}, "INVALID_FIELD"),
    ],
)
async def test_invalid_turns_are_refused_before_the_provider_is_called(chat, provider_mock, fields, reason):
    for call in (
        lambda: chat.Chat(pb.ChatRequest(turn=make_turn(**fields))),
        lambda: read_stream(chat, make_turn(**fields)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call()
        assert info_of(caught.value)[0] == reason
    assert provider_mock.requests == []


async def test_a_cancelled_conversation_refuses_messages(chat, sql):
    first = await chat.Chat(pb.ChatRequest(turn=make_turn(provider="demo")))
    await sql.execute("UPDATE conversations SET state = 'cancelled'")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await chat.Chat(
            pb.ChatRequest(turn=make_turn(provider="demo", conversation_id=first.started.conversation_id))
        )
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert info_of(caught.value)[:2] == (
        "CONVERSATION_CLOSED",
        {"conversation_id": first.started.conversation_id, "state": "CANCELLED"},
    )


async def test_turns_per_session_are_rate_limited(chat):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        for _ in range(61):  # a minute may end meanwhile
            await chat.Chat(pb.ChatRequest(turn=make_turn(session_id="busy")))
    assert info_of(caught.value)[:2] == ("RATE_LIMITED", {"limit": "30", "window_seconds": "60"})
    assert await chat.Chat(pb.ChatRequest(turn=make_turn(session_id="other")))

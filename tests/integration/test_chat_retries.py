"""A turn with a request id can be retried: it is answered once and stored once."""

from __future__ import annotations

import uuid

import grpc
import pytest
from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.conversation_pb2 import ROLE_USER
from llm_observe.v1.conversation_service_pb2 import GetConversationRequest
from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS

from tests.support.chat import make_turn, read_stream
from tests.support.rpc import info_of
from tests.support.waiting import eventually


async def test_retrying_a_finished_turn_returns_the_stored_answer(chat, conversations, provider_mock):
    turn = make_turn(request_id=str(uuid.uuid4()))
    first = await read_stream(chat, turn)
    again = await read_stream(chat, turn)
    whole = await chat.Chat(pb.ChatRequest(turn=turn))
    assert len(provider_mock.requests) == 1
    assert again[0] == first[0]
    assert again[-1] == first[-1]
    assert again[1].delta.text == "".join(event.delta.text for event in first) == whole.content
    found = await conversations.GetConversation(
        GetConversationRequest(conversation_id=first[0].started.conversation_id)
    )
    assert len(found.messages) == 2
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read_stream(chat, make_turn(request_id=turn.request_id, content="something else"))
    assert (caught.value.code(), info_of(caught.value)[0]) == (
        grpc.StatusCode.ALREADY_EXISTS,
        "REQUEST_ID_REUSED",
    )


async def test_retrying_a_failed_turn_stores_the_user_message_once(chat, conversations, provider_mock):
    turn = make_turn(request_id=str(uuid.uuid4()))
    provider_mock.default_behaviour = {"cut_after": 4}
    with pytest.raises(grpc.aio.AioRpcError):
        await read_stream(chat, turn)
    provider_mock.default_behaviour = {}
    events = await read_stream(chat, turn)
    assert [message["content"] for message in provider_mock.requests[-1]["messages"]] == ["hello there"]
    found = await conversations.GetConversation(
        GetConversationRequest(conversation_id=events[0].started.conversation_id)
    )
    assert [message.role for message in found.messages].count(ROLE_USER) == 1
    assert found.messages[-1].outcome == OUTCOME_SUCCESS


async def test_retrying_a_running_turn_is_refused(chat, provider_mock):
    provider_mock.default_behaviour = {"chunks": 40, "chunk_s": 0.02}
    turn = make_turn(request_id=str(uuid.uuid4()))
    call = chat.StreamChat(pb.StreamChatRequest(turn=turn))
    await call.read()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read_stream(chat, turn)
    assert caught.value.code() is grpc.StatusCode.ABORTED
    assert info_of(caught.value)[:2] == ("REQUEST_ID_REUSED", {"state": "RUNNING"})
    call.cancel()


async def test_a_cancelled_turn_can_be_retried(chat, provider_mock):
    provider_mock.default_behaviour = {"chunks": 500, "chunk_s": 0.02}
    turn = make_turn(request_id=str(uuid.uuid4()))
    for reads in (0, 1, 3):
        call = chat.StreamChat(pb.StreamChatRequest(turn=turn))
        for _ in range(reads):
            await call.read()
        call.cancel()
        await eventually(lambda: provider_mock.open_streams == 0)
    provider_mock.default_behaviour = {}

    async def answered():
        try:
            return (await read_stream(chat, turn))[-1].WhichOneof("event") == "finished"
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.ABORTED  # the previous attempt is still being stored
            return False

    assert await eventually(answered)

"""Conversations: pages, filters, states, messages and their numbers."""

from __future__ import annotations

import uuid

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from llm_observe.v1 import conversation_service_pb2 as pb
from llm_observe.v1.chat_service_pb2 import ChatRequest, ChatTurn
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.conversation_pb2 import (
    CONVERSATION_STATE_ACTIVE as ACTIVE,
)
from llm_observe.v1.conversation_pb2 import (
    CONVERSATION_STATE_CANCELLED as CANCELLED,
)
from llm_observe.v1.conversation_pb2 import (
    CONVERSATION_STATE_COMPLETED as COMPLETED,
)
from llm_observe.v1.conversation_pb2 import Conversation

from tests.support.rpc import info_of, stub
from tests.support.waiting import eventually


async def create(conversations, **fields) -> Conversation:
    request = pb.CreateConversationRequest(**{"session_id": "s1", **fields})
    conversation: Conversation = (await conversations.CreateConversation(request)).conversation
    return conversation


async def titles(conversations, **fields) -> list[str]:
    found = await conversations.ListConversations(pb.ListConversationsRequest(**fields))
    return [conversation.title for conversation in found.conversations]


async def send_message(channel, conversation_id: str = "", content: str = "hello"):
    turn = ChatTurn(session_id="s1", provider="openai", content=content, conversation_id=conversation_id)
    return await stub(ChatServiceStub, channel).Chat(ChatRequest(turn=turn))


async def refused(call) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), info_of(caught.value)[0]


async def test_pages_report_their_counts(conversations):
    for number in range(45):
        await create(conversations, title=f"t{number:02}")
    first = await conversations.ListConversations(pb.ListConversationsRequest())
    assert (first.page, first.page_size, first.total_count, first.total_pages) == (1, 20, 45, 3)
    assert (first.has_next, first.has_previous) == (True, False)
    assert [conversation.title for conversation in first.conversations] == [
        f"t{number:02}" for number in range(44, 24, -1)
    ]
    last = await conversations.ListConversations(pb.ListConversationsRequest(page=3))
    assert (last.has_next, last.has_previous, len(last.conversations)) == (False, True, 5)
    beyond = await conversations.ListConversations(
        pb.ListConversationsRequest(page=2**31 - 1, page_size=1000)
    )
    assert (len(beyond.conversations), beyond.page_size, beyond.has_next) == (0, 100, False)


async def test_an_empty_list_has_no_pages(conversations):
    found = await conversations.ListConversations(pb.ListConversationsRequest())
    assert (found.total_count, found.total_pages, found.has_next, found.has_previous) == (0, 0, False, False)


async def test_filters_select_conversations(conversations, channel):
    await create(conversations, title="Refund of an ORDER", user_id="u1")
    await create(conversations, title="100%_sure\\thing", session_id="s2")
    answer = await send_message(channel, content="where is my parcel")
    assert await titles(conversations, text="order") == ["Refund of an ORDER"]
    assert await titles(conversations, text="parcel") == ["where is my parcel"]
    assert await titles(conversations, text="100%_sure\\") == ["100%_sure\\thing"]
    assert await titles(conversations, text="100__sure") == []
    assert await titles(conversations, session_id="s2") == ["100%_sure\\thing"]
    assert await titles(conversations, user_id="u1") == ["Refund of an ORDER"]
    assert await titles(conversations, provider="openai") == ["where is my parcel"]
    await conversations.CancelConversation(
        pb.CancelConversationRequest(conversation_id=answer.started.conversation_id)
    )
    assert await titles(conversations, states=[CANCELLED]) == ["where is my parcel"]
    assert len(await titles(conversations, states=[ACTIVE, COMPLETED])) == 2


@pytest.mark.parametrize(
    "fields", [{"page": -1}, {"page_size": -1}, {"states": [0]}, {"states": [9]}, {"text": "x" * 201}]
)
async def test_invalid_filters_are_named(conversations, fields):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await conversations.ListConversations(pb.ListConversationsRequest(**fields))
    assert info_of(caught.value)[2] == list(fields)


async def test_only_allowed_state_transitions_succeed(conversations, channel):
    conversation = await create(conversations)
    name = {"conversation_id": conversation.conversation_id}

    async def cancel():
        return (await conversations.CancelConversation(pb.CancelConversationRequest(**name))).conversation

    async def complete():
        return (await conversations.CompleteConversation(pb.CompleteConversationRequest(**name))).conversation

    async def resume():
        return (await conversations.ResumeConversation(pb.ResumeConversationRequest(**name))).conversation

    closed = (grpc.StatusCode.FAILED_PRECONDITION, "CONVERSATION_CLOSED")
    assert (await cancel()).state == CANCELLED
    assert (await cancel()).state == CANCELLED
    assert await refused(complete()) == closed
    assert await refused(send_message(channel, conversation.conversation_id)) == closed
    assert (await resume()).state == ACTIVE
    assert (await send_message(channel, conversation.conversation_id)).content
    assert (await complete()).state == COMPLETED
    assert await refused(cancel()) == closed
    assert (await resume()).state == ACTIVE


async def test_the_title_can_be_changed_and_is_redacted(conversations):
    conversation = await create(conversations, title="old")
    wanted = Conversation(conversation_id=conversation.conversation_id, title="ask jo@example.com")
    for mask in (FieldMask(paths=["title"]), None):
        request = pb.UpdateConversationRequest(conversation=wanted, update_mask=mask)
        assert (await conversations.UpdateConversation(request)).conversation.title == "ask [EMAIL]"
    wrong = pb.UpdateConversationRequest(conversation=wanted, update_mask=FieldMask(paths=["state"]))
    assert (await refused(conversations.UpdateConversation(wrong)))[1] == "INVALID_FIELD"


async def test_deleting_a_conversation_removes_its_messages_and_keeps_the_log(
    conversations, channel, sql, worker
):
    answer = await send_message(channel)

    async def logged():
        return await sql.fetchval("SELECT count(*) FROM logs")

    await eventually(logged)
    name = {"conversation_id": answer.started.conversation_id}
    await conversations.DeleteConversation(pb.DeleteConversationRequest(**name))
    for call in (
        conversations.DeleteConversation(pb.DeleteConversationRequest(**name)),
        conversations.GetConversation(pb.GetConversationRequest(**name)),
        conversations.ListMessages(pb.ListMessagesRequest(**name)),
    ):
        assert await refused(call) == (grpc.StatusCode.NOT_FOUND, "CONVERSATION_NOT_FOUND")
    assert await logged() == 1


async def test_messages_include_the_stats_of_their_calls(conversations, channel, worker):
    answer = await send_message(channel)
    request = pb.GetConversationRequest(conversation_id=answer.started.conversation_id)

    async def counted():
        found = await conversations.GetConversation(request)
        return found.messages if found.messages[1].HasField("call_stats") else None

    user, assistant = await eventually(counted)
    assert not user.HasField("call_stats")
    same = ("input_token_count", "output_token_count", "total_token_count", "usage_source")
    stats = answer.finished.call_stats
    assert [getattr(assistant.call_stats, field) for field in same] == [
        getattr(stats, field) for field in same
    ]
    assert abs(assistant.call_stats.latency.ToMicroseconds() - stats.latency.ToMicroseconds()) <= 1


async def test_messages_are_paged_oldest_first(conversations, channel):
    conversation_id = (await send_message(channel, content="m0")).started.conversation_id
    for number in range(1, 6):
        await send_message(channel, conversation_id, f"m{number}")
    seen, token = [], ""
    while True:
        page = await conversations.ListMessages(
            pb.ListMessagesRequest(conversation_id=conversation_id, page_size=5, page_token=token)
        )
        seen += [message.content for message in page.messages]
        token = page.next_page_token
        if not token:
            break
    assert [text for text in seen if text.startswith("m")][:6] == [f"m{number}" for number in range(6)]
    assert len(seen) == 12
    foreign = pb.ListMessagesRequest(conversation_id=conversation_id, page_token="x")
    assert (await refused(conversations.ListMessages(foreign)))[1] == "PAGE_TOKEN_MISMATCH"


async def test_creating_twice_with_one_request_id_creates_one_conversation(conversations):
    request_id = str(uuid.uuid4())
    first = await create(conversations, title="a", request_id=request_id)
    again = await create(conversations, title="a", request_id=request_id)
    assert first.conversation_id == again.conversation_id
    assert len(await titles(conversations)) == 1
    other = create(conversations, title="b", request_id=request_id)
    assert await refused(other) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")

"""How Chat and Conversations look, at both widths and in both themes."""

from __future__ import annotations

import pytest
from llm_observe.v1 import conversation_service_pb2 as pb
from llm_observe.v1.conversation_pb2 import ROLE_ASSISTANT, ROLE_USER, Message

from tests.support.ui.pictures import assert_picture
from tests.support.ui.sample_chats import CONVERSATIONS, conversation_id, serve_chats

pytestmark = pytest.mark.browser
COMPARE = "compare=anthropic%2Fclaude-sonnet-5-5"


@pytest.fixture(autouse=True)
def _chats(fake):
    serve_chats(fake)


async def look(page, address: str, text: str, name: str, folder) -> None:
    await page.goto(address)
    await page.get_by_text(text).first.wait_for()
    await assert_picture(page, name, folder)


async def test_chat(look_page, tmp_path):
    await look(look_page, f"/chat?conversation={conversation_id(0)}", "In short:", "chat", tmp_path)


async def test_chat_empty(state_page, tmp_path):
    await look(state_page, "/chat?model=demo%2Fdemo-echo", "No model is called", "chat-empty", tmp_path)


async def test_chat_compared(state_page, tmp_path):
    address = f"/chat?conversation={conversation_id(0)}&other={conversation_id(1)}&{COMPARE}"
    await look(state_page, address, "In short:", "chat-compared", tmp_path)


async def test_chat_closed(state_page, tmp_path):
    address = f"/chat?conversation={conversation_id(3)}"
    await look(state_page, address, "This conversation is completed", "chat-closed", tmp_path)


async def test_chat_of_a_conversation_that_is_gone(state_page, tmp_path):
    await look(state_page, "/chat?conversation=gone", "no such conversation", "chat-gone", tmp_path)


async def test_chat_without_an_answer(hurried_page, fake, tmp_path):
    fake.hang()
    await look(hurried_page, "/chat", "No answer from", "chat-no-answer", tmp_path)


async def test_chat_loading(state_page, fake, tmp_path):
    fake.hang()
    await state_page.goto(f"/chat?conversation={conversation_id(0)}")
    await state_page.get_by_test_id("stSkeleton").first.wait_for()
    await assert_picture(state_page, "chat-loading", tmp_path, loading=True)


async def test_conversations(look_page, tmp_path):
    address = f"/conversations?size=10&conversation={conversation_id(0)}"
    await look(look_page, address, "of waiting", "conversations", tmp_path)


async def test_conversations_list(state_page, tmp_path):
    address = "/conversations?size=10&page=2&state=active"
    await look(state_page, address, "44 conversations", "conversations-list", tmp_path)


async def test_conversations_none(state_page, fake, tmp_path):
    fake.answers["ConversationService.ListConversations"] = pb.ListConversationsResponse()
    await look(state_page, "/conversations", "No conversations yet", "conversations-none", tmp_path)


async def test_conversations_without_a_match(state_page, tmp_path):
    address = "/conversations?q=nowhere&state=completed"
    await look(state_page, address, "No conversation matches", "conversations-no-match", tmp_path)


async def test_conversations_without_text(state_page, fake, tmp_path):
    messages = [Message(message_id="m1", role=ROLE_USER), Message(message_id="m2", role=ROLE_ASSISTANT)]
    for message in messages:
        message.create_time.CopyFrom(CONVERSATIONS[1].create_time)
    fake.answers["ConversationService.GetConversation"] = pb.GetConversationResponse(
        conversation=CONVERSATIONS[1], messages=messages
    )
    address = f"/conversations?size=10&conversation={conversation_id(1)}"
    await look(state_page, address, "text is not kept", "conversations-no-text", tmp_path)


async def test_conversations_deletion(state_page, tmp_path):
    await state_page.goto(f"/conversations?size=10&conversation={conversation_id(0)}")
    await state_page.locator(".st-key-transcript_menu button").filter(visible=True).click()
    await state_page.get_by_role("menuitem", name="Delete").click()
    await state_page.get_by_text("Delete for ever?").wait_for()
    await assert_picture(state_page, "conversations-deletion", tmp_path)


async def test_conversations_stale(hurried_page, fake, tmp_path):
    await hurried_page.goto("/conversations?size=10")
    await hurried_page.get_by_text("47 conversations").wait_for()
    fake.hang()
    await hurried_page.locator(".st-key-refresh button").filter(visible=True).click()
    await hurried_page.get_by_text("Stale since").wait_for()
    await assert_picture(hurried_page, "conversations-stale", tmp_path)


async def test_conversations_loading(state_page, fake, tmp_path):
    fake.hang()
    await state_page.goto("/conversations?size=10")
    await state_page.get_by_test_id("stSkeletonElement").first.wait_for()
    await assert_picture(state_page, "conversations-loading", tmp_path, loading=True)

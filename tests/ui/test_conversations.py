"""Conversations: the list, the transcript beside it, and what can be done with them."""

from __future__ import annotations

import pytest
from llm_observe.v1 import conversation_service_pb2 as pb
from llm_observe.v1.conversation_pb2 import CONVERSATION_STATE_CANCELLED, CONVERSATION_STATE_COMPLETED

from server.rpc.errors import ConversationNotFound, QueryTookTooLong
from tests.support.ui.app import page
from tests.support.ui.sample_chats import conversation_id, serve_chats
from tests.support.waiting import eventually


@pytest.fixture
def chats(connected):
    serve_chats(connected)
    for action in ("Complete", "Delete", "Update", "Resume"):
        name = f"{action}Conversation"
        connected.answers[f"ConversationService.{name}"] = getattr(pb, f"{name}Response")()
    return connected


def show(**query):
    app = page("conversations", **query).run()
    assert not app.exception
    return app


def last_list(fake) -> pb.ListConversationsRequest:
    request: pb.ListConversationsRequest = fake.requests_to("ConversationService.ListConversations")[-1]
    return request


def titles(app) -> list[str]:
    return [
        button.label.strip("*").replace("\\", "") for button in app.button if button.key.startswith("open_")
    ]


def texts(app) -> str:
    return " ".join(element.value.replace("\\", "") for element in [*app.markdown, *app.caption])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, pb.ListConversationsRequest(page=1, page_size=20)),
        ({"page": "2", "size": "10"}, pb.ListConversationsRequest(page=2, page_size=10)),
        ({"page": "-1", "size": "7"}, pb.ListConversationsRequest(page=1, page_size=20)),
        ({"page": "9" * 40, "size": "x"}, pb.ListConversationsRequest(page=1, page_size=20)),
        (
            {"q": "order", "provider": "openai", "state": ["completed", "cancelled", "nonsense"]},
            pb.ListConversationsRequest(
                page=1,
                page_size=20,
                text="order",
                provider="openai",
                states=[CONVERSATION_STATE_COMPLETED, CONVERSATION_STATE_CANCELLED],
            ),
        ),
    ],
)
def test_the_url_says_what_is_listed(chats, query, expected):
    show(**query)
    assert last_list(chats) == expected


def test_search_and_filters_are_in_the_url_and_begin_at_the_first_page(chats):
    app = show(page="2")
    app.text_input("list_text").set_value("order").run()
    assert titles(app)
    assert all("order" in title.lower() for title in titles(app))
    assert "page" not in app.query_params
    app.selectbox("list_size").set_value(10).run()
    assert last_list(chats) == pb.ListConversationsRequest(page=1, page_size=10, text="order")


def test_no_match_offers_to_clear_the_filters(chats):
    app = show(q="nowhere", state="completed")
    assert "No conversation matches “nowhere”, state completed." in texts(app)
    app.button("clear").click().run()
    assert len(titles(app)) == 20
    assert "q" not in app.query_params


def test_without_any_conversation_the_page_says_what_to_do(chats):
    chats.answers["ConversationService.ListConversations"] = pb.ListConversationsResponse()
    app = show()
    assert app.subheader[0].value == "No conversations yet"


def test_a_click_opens_the_transcript(chats):
    app = show()
    app.button(f"open_{conversation_id(1)}").click().run()
    assert app.query_params["conversation"] in (conversation_id(1), [conversation_id(1)])
    assert len(app.chat_message) == 8
    assert "824 → 284 tokens" in texts(app)
    assert "38.0 s after the answer" in texts(app)
    assert "[turn 2](#turn-2)" in texts(app)


def test_a_deleted_conversation_leaves_the_list(chats):
    chats.answers["ConversationService.GetConversation"] = ConversationNotFound("x")
    app = show(conversation=conversation_id(0))
    assert "no such conversation" in app.warning[0].value
    assert titles(app)


def test_an_error_of_the_list_leaves_the_transcript(chats):
    chats.answers["ConversationService.ListConversations"] = QueryTookTooLong()
    app = show(conversation=conversation_id(0))
    assert app.chat_message
    assert "QUERY_TIMEOUT" in texts(app)


@pytest.mark.browser
async def test_deletion_names_what_would_be_gone_and_waits_for_a_yes(fake, browser_page):
    serve_chats(fake)
    fake.answers["ConversationService.DeleteConversation"] = pb.DeleteConversationResponse()
    await browser_page.goto(f"/conversations?conversation={conversation_id(0)}")
    await browser_page.locator(".st-key-transcript_menu button").filter(visible=True).click()
    await browser_page.get_by_role("menuitem", name="Delete").click()
    await browser_page.get_by_text("“Why is p95 higher on Mondays?” with its 8 messages").wait_for()
    assert fake.requests_to("ConversationService.DeleteConversation") == []
    await browser_page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await browser_page.get_by_text("Deleted “Why is p95 higher on Mondays?”").wait_for()
    (request,) = fake.requests_to("ConversationService.DeleteConversation")
    assert request.conversation_id == conversation_id(0)
    assert "conversation=" not in browser_page.url


@pytest.mark.browser
async def test_several_are_deleted_at_once_or_kept(fake, browser_page):
    serve_chats(fake)
    fake.answers["ConversationService.DeleteConversation"] = pb.DeleteConversationResponse()
    await browser_page.goto("/conversations")
    for number, count in ((0, 1), (2, 2)):
        await browser_page.locator(f".st-key-tick_{conversation_id(number)} label").click()
        await browser_page.get_by_text(f"{count} chosen").wait_for()
    await browser_page.locator(".st-key-delete_ticked button").click()
    await browser_page.get_by_text("2 conversations with 20 messages together").wait_for()
    await browser_page.get_by_role("button", name="Keep").click()
    await browser_page.get_by_role("dialog").wait_for(state="detached")
    assert fake.requests_to("ConversationService.DeleteConversation") == []
    await browser_page.locator(".st-key-delete_ticked button").click()
    await browser_page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await browser_page.get_by_text("Deleted 2 conversations").wait_for()
    deleted = [
        request.conversation_id for request in fake.requests_to("ConversationService.DeleteConversation")
    ]
    assert deleted == [conversation_id(0), conversation_id(2)]


@pytest.mark.browser
async def test_search_and_the_open_conversation_survive_a_reload(fake, browser_page):
    serve_chats(fake)
    await browser_page.goto("/conversations?q=outage&size=10")
    await browser_page.locator("[class*=st-key-open_] button").filter(visible=True).first.click()
    await browser_page.locator(".st-key-transcript_head").wait_for()
    await browser_page.reload()
    await browser_page.locator(".st-key-transcript_head").wait_for()
    assert "q=outage" in browser_page.url
    search = browser_page.get_by_placeholder("Search titles and messages")

    async def is_kept() -> bool:
        return bool(await search.input_value() == "outage")

    await eventually(is_kept)


def test_only_open_conversations_are_completed(chats):
    app = show()
    for number in (0, 3):  # the second is completed
        app.checkbox(f"tick_{conversation_id(number)}").check().run()
    app.button("complete_ticked").click().run()
    completed = [
        request.conversation_id for request in chats.requests_to("ConversationService.CompleteConversation")
    ]
    assert completed == [conversation_id(0)]

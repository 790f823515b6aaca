"""Chat: what is asked, what stays on the page, and what can be done then."""

from __future__ import annotations

import pytest
from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1 import conversation_service_pb2 as conversations
from llm_observe.v1.conversation_pb2 import ROLE_USER, Message
from llm_observe.v1.error_reason_pb2 import ErrorReason

from server.rpc.errors import ProviderFailed, RateLimited
from server.settings import ServerSettings
from streamlit_app.data.connection import forget_connection
from streamlit_app.settings import AppSettings
from tests.support.ui.app import page
from tests.support.ui.sample_chats import conversation_id, serve_chats

TIMEOUT = ProviderFailed(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT, provider="demo", log_id="1")
NEW = "01a21300-0000-7000-8000-00000000ffff"


@pytest.fixture
def chats(connected):
    """A server with conversations, where every question is answered "half an answer"."""
    serve_chats(connected)
    connected.answers["ChatService.StreamChat"] = whole_answer
    return connected


def begin(request: pb.StreamChatRequest, log_id: str = "l1") -> pb.StreamChatResponse:
    found = request.turn.conversation_id or NEW
    started = pb.ChatStarted(conversation_id=found, user_message_id="u1", message_id="m1", log_id=log_id)
    return pb.StreamChatResponse(started=started)


def delta(text: str) -> pb.StreamChatResponse:
    return pb.StreamChatResponse(delta=pb.ChatDelta(text=text))


def whole_answer(request):
    finished = pb.ChatFinished(response_model="gpt-5.1-mini-2026")
    return [begin(request), delta("half an "), delta("answer"), pb.StreamChatResponse(finished=finished)]


def chat(**query):
    app = page("chat", **query).run()
    assert not app.exception
    return app


def ask(app, content):
    app.chat_input[0].set_value(content).run()
    assert not app.exception


def shown(app) -> list[str]:
    """Return what each message shows, as one text."""
    return [
        " ".join(
            element.value.replace("\\", "")
            for element in [*message.markdown, *message.text, *message.caption, *message.error]
        )
        for message in app.chat_message
    ]


def requests(fake) -> list[pb.ChatTurn]:
    return [request.turn for request in fake.requests_to("ChatService.StreamChat")]


def labels(app) -> list[str]:
    return [button.label for button in app.button]


def stored_nowhere(fake):
    """Have the server know a conversation without the messages: they come to it a moment later."""
    fake.answers["ConversationService.GetConversation"] = conversations.GetConversationResponse()


@pytest.mark.parametrize(
    ("answers", "text", "reason"),
    [
        (whole_answer, "half an answer", ""),
        (lambda request: [begin(request), delta("half an "), TIMEOUT], "half an", "PROVIDER_TIMEOUT"),
        (lambda request: [begin(request), TIMEOUT], "did not answer in time", "PROVIDER_TIMEOUT"),
        (RateLimited(30, 60, retry_after_s=1.0), "", "RATE_LIMITED"),
    ],
)
def test_what_came_of_an_answer_stays_on_the_page(chats, answers, text, reason):
    stored_nowhere(chats)
    chats.answers["ChatService.StreamChat"] = answers
    app = chat()
    ask(app, "hello")
    for _ in range(2):
        question, answer = shown(app)
        assert question.startswith("hello")
        assert text in answer
        assert reason in answer
        assert ("Retry" in labels(app)) == bool(reason)
        app.run()


def test_the_conversation_is_in_the_url_and_asked_again(chats):
    stored_nowhere(chats)
    app = chat()
    ask(app, "one")
    assert app.query_params["conversation"] in (NEW, [NEW])
    ask(app, "two")
    assert [turn.conversation_id for turn in requests(chats)] == ["", NEW]


def test_a_conversation_of_the_url_is_loaded_with_the_reason_of_each_failure(chats):
    app = chat(conversation=conversation_id(0))
    texts = shown(app)
    assert app.title[0].value == r"Why is p95 higher on Mondays\?"
    assert len(texts) == 8
    assert "rate_limit_exceeded" in texts[3]
    assert "412 (256 cached) → 217 tokens" in texts[1]
    assert "Stored redacted: email, phone" in texts[2]
    assert ":violet-background[[EMAIL]]" in texts[2]


@pytest.mark.parametrize("wanted", [NEW, "nonsense"])
def test_a_conversation_that_does_not_exist_leads_on(chats, wanted):
    app = chat(conversation=wanted)
    assert "no such conversation" in app.markdown[-1].value
    assert not app.chat_input
    app.button("new_chat").click().run()
    assert app.chat_input
    assert "conversation" not in app.query_params


def test_a_retry_after_a_failure_is_the_same_request(chats):
    """Then the server stores the question once."""
    stored_nowhere(chats)
    chats.answers["ChatService.StreamChat"] = lambda request: [begin(request, "l0"), TIMEOUT]
    app = chat()
    ask(app, "hello")
    chats.answers["ChatService.StreamChat"] = whole_answer
    next(button for button in app.button if button.label == "Retry").click().run()
    first, second = requests(chats)
    assert first == second
    assert first.request_id
    question, failed, answer = shown(app)
    assert "hello" in question
    assert "PROVIDER_TIMEOUT" in failed
    assert "half an answer" in answer


def test_asking_again_is_a_new_request(chats):
    app = chat(conversation=conversation_id(0))
    next(button for button in app.button if button.key.startswith("again_")).click().run()
    (turn,) = requests(chats)
    assert turn.content == "In one sentence?"
    assert turn.conversation_id == conversation_id(0)


def test_edit_puts_the_question_into_the_input(chats):
    app = chat(conversation=conversation_id(0))
    next(button for button in app.button if button.key.startswith("edit_")).click().run()
    assert app.chat_input[0].proto.value == "In one sentence?"
    assert requests(chats) == []


def test_a_question_that_the_server_refused_is_back_in_the_input(chats):
    chats.answers["ChatService.StreamChat"] = RateLimited(30, 60, retry_after_s=1.0)
    app = chat()
    ask(app, "hello")
    assert app.chat_input[0].proto.value == "hello"
    chats.answers["ChatService.StreamChat"] = whole_answer
    stored_nowhere(chats)
    ask(app, "hello again")
    assert [text.split()[0:2] for text in shown(app)[::2]] == [["hello", "again"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ("openai", "gpt-5.1-mini")),
        ({"model": "anthropic/claude-sonnet-5-5"}, ("anthropic", "claude-sonnet-5-5")),
        ({"model": "openai/my/own"}, ("openai", "my/own")),
        ({"model": "gemini/gemini-3.8-flash"}, ("openai", "gpt-5.1-mini")),
        ({"model": "nonsense"}, ("openai", "gpt-5.1-mini")),
        ({"conversation": conversation_id(1)}, ("anthropic", "claude-sonnet-5-5")),
        ({"conversation": conversation_id(1), "model": "demo/demo-echo"}, ("demo", "demo-echo")),
    ],
)
def test_the_model_is_the_urls_else_the_conversations_else_the_first(chats, query, expected):
    app = chat(**query)
    ask(app, "hello")
    (turn,) = requests(chats)
    assert (turn.provider, turn.model) == expected


def test_parameters_reach_the_request_when_they_are_set(chats):
    app = chat()
    app.text_area("system_prompt").set_value("Be brief.")
    app.number_input("temperature").set_value(0.0)
    app.number_input("max_tokens").set_value(50).run()
    ask(app, "hello")
    (turn,) = requests(chats)
    assert turn.system_prompt == "Be brief."
    assert turn.parameters.HasField("temperature")
    assert turn.parameters.max_output_tokens == 50
    assert not turn.parameters.HasField("top_p")


def test_two_models_are_asked_the_same(chats):
    stored_nowhere(chats)
    app = chat(compare="anthropic/claude-sonnet-5-5")
    ask(app, "hello")
    assert {(turn.provider, turn.content) for turn in requests(chats)} == {
        ("openai", "hello"),
        ("anthropic", "hello"),
    }
    assert "conversation" in app.query_params
    assert "other" in app.query_params
    assert len(app.chat_message) == 3  # the question once
    app.button("compare").click().run()
    assert "compare" not in app.query_params


def test_a_closed_conversation_offers_to_resume(chats):
    chats.answers["ConversationService.ResumeConversation"] = conversations.ResumeConversationResponse()
    app = chat(conversation=conversation_id(3))
    assert not app.chat_input
    app.button("resume").click().run()
    (request,) = chats.requests_to("ConversationService.ResumeConversation")
    assert request.conversation_id == conversation_id(3)


def test_text_that_is_not_stored_stays_while_the_session_lasts(chats):
    app = chat()
    stored_nowhere(chats)
    ask(app, "secret")
    chats.answers["ConversationService.GetConversation"] = conversations.GetConversationResponse(
        messages=[Message(message_id="u1", role=ROLE_USER)]
    )
    app.run()
    assert shown(app)[0].startswith("secret")
    other = chat(conversation=NEW)
    assert "LLM_OBSERVE_STORE_MESSAGES is none" in shown(other)[0]


def test_the_page_waits_longer_than_the_server_may_take(monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_CHAT_TIMEOUT_S", "1000")
    forget_connection()
    assert ServerSettings().chat_timeout_s == 1000 < AppSettings().chat_deadline_s


def test_a_demo_is_labelled(chats):
    app = chat(model="demo/demo-echo")
    assert any("No model is called" in caption.value for caption in app.caption)
    assert not any("No model is called" in caption.value for caption in chat().caption)

"""The chat page keeps an answer as far as it came, and says that it is incomplete."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from grpc_status import rpc_status
from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.error_reason_pb2 import ErrorReason
from streamlit.testing.v1 import AppTest

from server.rpc.errors import ProviderFailed
from server.settings import ServerSettings
from streamlit_app.data.connection import forget_connection
from streamlit_app.settings import AppSettings

BROKEN = ProviderFailed(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT, provider="demo", log_id="1")
DEADLINES: list[float] = []


def list_models(_request, _context):
    return pb.ListModelsResponse(
        providers=[pb.ProviderModels(provider="demo", configured=True, models=["echo"])]
    )


def stream_chat(request, context):
    """Answer the question "whole" whole; break off after half of any other, or before it."""
    DEADLINES.append(context.time_remaining())
    yield pb.StreamChatResponse(started=pb.ChatStarted(conversation_id="c1"))
    if request.turn.content != "nothing":
        yield pb.StreamChatResponse(delta=pb.ChatDelta(text="half an "))
    if request.turn.content != "whole":
        status: status_pb2.Status = BROKEN.to_status()
        context.abort_with_status(rpc_status.to_status(status))
    yield pb.StreamChatResponse(delta=pb.ChatDelta(text="answer"))
    yield pb.StreamChatResponse(finished=pb.ChatFinished(response_model="echo"))


def page():
    from streamlit_app.views.chat import render  # noqa: PLC0415 - AppTest runs this function's source alone

    render()


@pytest.fixture
def app(monkeypatch):
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "ListModels": grpc.unary_unary_rpc_method_handler(
            list_models, pb.ListModelsRequest.FromString, pb.ListModelsResponse.SerializeToString
        ),
        "StreamChat": grpc.unary_stream_rpc_method_handler(
            stream_chat, pb.StreamChatRequest.FromString, pb.StreamChatResponse.SerializeToString
        ),
    }
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("llm_observe.v1.ChatService", methods)]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    monkeypatch.setenv("LLM_OBSERVE_GRPC_PORT", str(port))
    monkeypatch.setenv("LLM_OBSERVE_UI_TIMEOUT_S", "60")
    forget_connection()
    yield AppTest.from_function(page, default_timeout=120)
    forget_connection()
    server.stop(None).wait()


def ask(app, content):
    app.run()
    app.chat_input[0].set_value(content).run()
    assert not app.exception


def shown(app):
    """The answer and the line under it."""
    message = app.chat_message[-1]
    return [block.value for block in message.markdown], [line.value for line in message.caption]


@pytest.mark.parametrize(
    ("content", "answer", "note"),
    [
        ("whole", "half an answer", "echo"),
        ("broken", "half an", "Incomplete answer: the provider did not answer in time"),
        ("nothing", "", "the provider did not answer in time"),
    ],
)
def test_what_came_of_an_answer_stays_on_the_page(app, content, answer, note):
    ask(app, content)
    assert bool(app.error) == (content != "whole")
    for _ in range(2):
        texts, (line,) = shown(app)
        assert "".join(texts).strip() == answer
        assert line.replace("\\", "").startswith(note)
        app.run()  # the answer is drawn anew from what the page remembers


def test_the_page_waits_longer_than_the_server_may_take(app, monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_CHAT_TIMEOUT_S", "1000")
    forget_connection()
    ask(app, "whole")
    assert ServerSettings().chat_timeout_s == 1000 < AppSettings().chat_deadline_s
    assert DEADLINES[-1] > 500  # the setting's, less what the call took so far

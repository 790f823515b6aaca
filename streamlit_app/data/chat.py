"""Calls ChatService."""

from __future__ import annotations

import time
from threading import Thread
from typing import TYPE_CHECKING

from llm_observe.v1 import chat_service_pb2 as pb
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub

from streamlit_app import clock
from streamlit_app.data.connection import ServerError, channel, server_errors, settings
from streamlit_app.data.turns import Answer, Numbers, Turn, numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def list_models() -> list[pb.ProviderModels]:
    """Return the providers and their models. Raises ServerError if the call fails."""
    with server_errors():
        answer = ChatServiceStub(channel()).ListModels(pb.ListModelsRequest(), timeout=settings().timeout_s)
    return list(answer.providers)


class LiveTurn:
    """A question that is being answered. ``turn`` holds what came so far; a thread reads it.

    Args:
        request: What to ask.
    """

    def __init__(self, request: pb.ChatTurn) -> None:
        self.request = request
        self.conversation_id = request.conversation_id
        self.answer = Answer(provider=request.provider, model=request.model)
        self.turn = Turn(request.content, time=clock.now(), answers=[self.answer])
        self.was_returned = False
        """Whether a question that the server did not take is back in the input."""
        self._began = time.monotonic()
        self._stopped = False
        with server_errors():
            self._call = ChatServiceStub(channel()).StreamChat(
                pb.StreamChatRequest(turn=request), timeout=settings().chat_deadline_s
            )
        self._thread = Thread(target=self._read, name="chat-answer", daemon=True)
        self._thread.start()

    @property
    def elapsed_s(self) -> float:
        """How long the question has been asked."""
        return time.monotonic() - self._began

    @property
    def was_accepted(self) -> bool:
        """Whether the server took the question: it is stored."""
        return bool(self.turn.question_id)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of the answer; return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End the call, and with it the provider's; the text that came stays. Nothing if it has ended."""
        if self._thread.is_alive():
            self._stopped = True
            self.answer.numbers = Numbers(latency_s=self.elapsed_s)
            self.answer.outcome = "cancelled"
            self._call.cancel()

    def _read(self) -> None:
        try:
            with server_errors():
                self._take(self._call)
        except ServerError as error:
            self._fail(error)
        self.answer.time = clock.now()

    def _take(self, events: Iterable[pb.StreamChatResponse]) -> None:
        for event in events:
            if event.HasField("started"):
                self.conversation_id = event.started.conversation_id
                self.turn.question_id = event.started.user_message_id
                self.answer.message_id = event.started.message_id
                self.answer.log_id = event.started.log_id
            elif event.HasField("delta"):
                self.answer.text += event.delta.text
            else:
                self.answer.numbers = numbers_of(event.finished.call_stats)
                self.answer.model = event.finished.response_model or self.answer.model

    def _fail(self, error: ServerError) -> None:
        if self._stopped:
            return
        self.answer.outcome = "error"
        self.answer.numbers = Numbers(latency_s=self.elapsed_s)
        self.answer.error_code, self.answer.error_message = error.reason, error.message

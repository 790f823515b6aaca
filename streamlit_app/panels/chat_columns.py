"""The columns of the chat: a conversation and the model that is asked in it, or two to compare."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import chat_service_pb2 as pb

from streamlit_app.data.conversations import get_conversation, list_calls
from streamlit_app.data.turns import Turn, merge, to_turns
from streamlit_app.panels.chat_model import Instructions, Model, configured_models, resolve_model
from streamlit_app.panels.conversation_actions import is_closed
from streamlit_app.state.recent_turns import recent_turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.conversation_pb2 import Conversation
    from llm_observe.v1.conversation_service_pb2 import GetConversationResponse
    from llm_observe.v1.log_pb2 import Log

    from streamlit_app.data.reads import Read, Reads

PARAMETERS: Final = (("conversation", "model"), ("other", "compare"))
"""Of each column: the parameters of the URL that hold its conversation and its model."""
_MISSING: Final = frozenset({"CONVERSATION_NOT_FOUND", "INVALID_FIELD"})


@dataclass(slots=True)
class Column:
    """A conversation and the model that is asked in it; there are two when models are compared."""

    number: int
    conversation_id: str
    stored: Read[GetConversationResponse] | None
    calls: Read[list[Log]] | None
    model: Model | None = None
    turns: list[Turn] = field(default_factory=list)

    @property
    def conversation(self) -> Conversation | None:
        return self.stored.value.conversation if self.stored and self.stored.value else None

    @property
    def is_missing(self) -> bool:
        """Whether the server says that there is no such conversation."""
        return bool(self.stored and self.stored.error and self.stored.error.reason in _MISSING)

    @property
    def is_closed(self) -> bool:
        return self.conversation is not None and is_closed(self.conversation)


def start_column(reads: Reads, number: int) -> Column:
    conversation_id = st.query_params.get(PARAMETERS[number][0], "")
    if not conversation_id:
        return Column(number, "", None, None)
    return Column(
        number,
        conversation_id,
        reads.start(f"conversation {number}", lambda: get_conversation(conversation_id)),
        reads.start(f"calls {number}", lambda: list_calls(conversation_id), roles=("read",)),
    )


def fill_column(column: Column, known: Sequence[pb.ProviderModels]) -> None:
    """Add the turns, and the model: of the URL, else of the last answer, else the first of the server."""
    answer = column.stored.value if column.stored else None
    calls = column.calls.value if column.calls else None
    stored = to_turns(answer.messages, calls or ()) if answer else []
    column.turns = merge(stored, [live.turn for live in recent_turns(column.conversation_id)])
    last = Model(answer.conversation.provider, answer.conversation.model) if answer else None
    wanted = Model.parse(st.query_params.get(PARAMETERS[column.number][1], ""))
    others = configured_models(known)[1:] if column.number else []
    column.model = resolve_model([wanted, _suggested(last, known), *others], known)


def _suggested(last: Model | None, known: Sequence[pb.ProviderModels]) -> Model | None:
    """Return the suggested model that gave the last answer: answers name versions, such as gpt-5-2026-01."""
    if last is None:
        return None
    same = [model for model in configured_models(known) if model.provider == last.provider]
    exact = [model for model in same if last.name.startswith(model.name)]
    return max(exact, key=lambda model: len(model.name), default=next(iter(same), None))


def to_request(column: Column, content: str, instructions: Instructions) -> pb.ChatTurn:
    return pb.ChatTurn(
        session_id=st.session_state.session_id,
        conversation_id=column.conversation_id,
        provider=column.model.provider if column.model else "",
        model=column.model.name if column.model else "",
        content=content,
        system_prompt=instructions.system_prompt,
        parameters=instructions.parameters,
        request_id=str(uuid.uuid4()),
    )

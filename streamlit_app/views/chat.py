"""Chat: talk to a model; every call is recorded like any other application's."""

from __future__ import annotations

import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import chat_service_pb2 as pb

from streamlit_app import format as fmt
from streamlit_app.components.errors import show_error
from streamlit_app.components.header import plain_header
from streamlit_app.components.safe_text import MAX_PARSED_CHARS, literal, safe_markdown
from streamlit_app.data.chat import list_models, stream_chat
from streamlit_app.data.connection import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_observe.v1.conversation_pb2 import CallStats
    from streamlit.delta_generator import DeltaGenerator

_REDRAW_S: Final = 0.1
"""Least time between two states of an answer on the page: each is parsed from its beginning."""


@dataclass(slots=True)
class _Turn:
    """A question, the answer received so far, and the line below it."""

    question: str
    answer: str = ""
    note: str = "Incomplete answer: it was interrupted."


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the next question is sent to."""

    provider: str
    model: str
    system_prompt: str


def render() -> None:
    """Show the page."""
    state = st.session_state
    state.setdefault("session_id", str(uuid.uuid4()))
    state.setdefault("turns", [])
    state.setdefault("conversation_id", "")
    if plain_header("Chat").button("New chat", icon=":material/add:"):
        state.turns, state.conversation_id = [], ""
    choice = _choose_model()
    for turn in state.turns:
        _show_turn(turn)
    hint = st.empty()
    if choice and not state.turns:
        hint.info(
            "Ask a question. The call appears on the dashboard shortly afterwards.", icon=":material/forum:"
        )
    content = st.chat_input("Message", disabled=choice is None)
    if choice and content:
        hint.empty()
        _take_turn(choice, content)


def _choose_model() -> _Choice | None:
    """Return what was chosen; None when there is nothing to choose from."""
    try:
        known = list_models()
    except ServerError as error:
        show_error(error)
        return None
    models = {entry.provider: list(entry.models) for entry in known if entry.configured}
    left, middle, right = st.columns([2, 3, 1], vertical_alignment="bottom")
    provider = left.selectbox("Provider", list(models))
    model = middle.selectbox("Model", models.get(provider, []), accept_new_options=True)
    with right.popover("System", width="stretch"):
        system_prompt = st.text_area("System prompt", key="system_prompt", height=160)
    missing = [f"{entry.required_setting} for {entry.provider}" for entry in known if not entry.configured]
    if missing:
        st.caption(f"To use more providers, set {literal(', '.join(missing))} and restart LLM Observe.")
    return _Choice(provider, model or "", system_prompt) if provider else None


def _show_turn(turn: _Turn) -> None:
    _show_question(turn.question)
    with st.chat_message("assistant"):
        _show_answer(st.empty(), turn.answer)
        st.caption(literal(turn.note))


def _show_question(text: str) -> None:
    with st.chat_message("user"):
        st.text(text)


def _show_answer(place: DeltaGenerator, text: str) -> None:
    if len(text) > MAX_PARSED_CHARS:
        place.text(text)
    else:
        place.markdown(safe_markdown(text))


def _take_turn(choice: _Choice, content: str) -> None:
    """Show the question, stream the answer, and remember both, also when the answer breaks off."""
    _show_question(content)
    request = pb.ChatTurn(
        session_id=st.session_state.session_id,
        conversation_id=st.session_state.conversation_id,
        provider=choice.provider,
        model=choice.model,
        content=content,
        system_prompt=choice.system_prompt,
    )
    turn = _Turn(content)
    st.session_state.turns.append(turn)
    with st.chat_message("assistant"):
        place = st.empty()
        try:
            _stream_answer(request, turn, place)
        except ServerError as error:
            turn.note = f"{error.message} ({error.reason})"
            if turn.answer:
                turn.note = f"Incomplete answer: {turn.note}"
            show_error(error, retry=False)
        _show_answer(place, turn.answer)
        st.caption(literal(turn.note))


def _stream_answer(request: pb.ChatTurn, turn: _Turn, place: DeltaGenerator) -> None:
    """Show the answer while it grows; leaving early cancels the call, and with it the provider's stream."""
    with closing(stream_chat(request)) as responses:
        _show_responses(responses, turn, place)


def _show_responses(responses: Iterable[pb.StreamChatResponse], turn: _Turn, place: DeltaGenerator) -> None:
    drawn = 0.0
    for response in responses:
        if response.HasField("started"):
            st.session_state.conversation_id = response.started.conversation_id
        elif response.HasField("delta"):
            turn.answer += response.delta.text
            if time.monotonic() - drawn >= _REDRAW_S:
                _show_answer(place, turn.answer)
                drawn = time.monotonic()
        else:
            turn.note = describe(response.finished)


def describe(finished: pb.ChatFinished) -> str:
    """Return the line under an answer: model, latency, first token, tokens, cost."""
    stats = finished.call_stats
    parts = [
        finished.response_model,
        fmt.duration(fmt.seconds(stats.latency)),
        f"first token {fmt.duration(fmt.seconds(stats.time_to_first_token))}",
        _tokens(stats),
    ]
    if stats.HasField("cost_nano_usd"):
        parts.append(fmt.money(stats.cost_nano_usd))
    return " · ".join(part for part in parts if part)


def _tokens(stats: CallStats) -> str:
    if not stats.HasField("total_token_count"):
        return "tokens unknown"
    return f"{stats.input_token_count:,} in, {stats.output_token_count:,} out"

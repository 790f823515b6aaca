"""Chat: talk to a model; every call is recorded like any other application's."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

import streamlit as st
from llm_observe.v1 import chat_service_pb2 as pb

from streamlit_app import format as fmt
from streamlit_app.client import ServerError, chat, server_errors, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe.v1.conversation_pb2 import CallStats

_CHAT_TIMEOUT_S: Final = 300


def render() -> None:
    """Show the page."""
    state = st.session_state
    state.setdefault("session_id", str(uuid.uuid4()))
    state.setdefault("turns", [])
    state.setdefault("conversation_id", "")
    head, new = st.columns([4, 1], vertical_alignment="bottom")
    head.title("Chat")
    if new.button("New chat", icon=":material/add:", width="stretch"):
        state.turns, state.conversation_id = [], ""
    provider, model, system_prompt = _choose_model()
    for turn in state.turns:
        _show_turn(turn)
    hint = st.empty()
    if not state.turns:
        hint.info(
            "Ask something. The call shows up on the dashboard a moment later.", icon=":material/forum:"
        )
    content = st.chat_input("Message", disabled=not provider)
    if content:
        hint.empty()
        _take_turn(pb.ChatTurn(
            session_id=state.session_id, conversation_id=state.conversation_id, provider=provider,
            model=model, content=content, system_prompt=system_prompt,
        ))  # fmt: skip


def _choose_model() -> tuple[str, str, str]:
    """Return provider, model and system prompt; an empty provider when there is nothing to choose."""
    try:
        with server_errors():
            known = chat().ListModels(pb.ListModelsRequest(), timeout=settings().timeout_s).providers
    except ServerError as error:
        st.error(f"{error.message} ({error.reason})", icon=":material/cloud_off:")
        return "", "", ""
    models = {entry.provider: list(entry.models) for entry in known if entry.configured}
    left, middle, right = st.columns([2, 3, 1], vertical_alignment="bottom")
    provider = left.selectbox("Provider", list(models))
    model = middle.selectbox("Model", models.get(provider, []), accept_new_options=True)
    with right.popover("System", width="stretch"):
        system_prompt = st.text_area("System prompt", key="system_prompt", height=160)
    missing = [entry for entry in known if not entry.configured]
    if missing:
        wanted = ", ".join(f"`{entry.required_setting}` for {entry.provider}" for entry in missing)
        st.caption(f"More providers: set {wanted} and start LLM Observe again.")
    return provider or "", model or "", system_prompt


def _show_turn(turn: dict[str, Any]) -> None:
    with st.chat_message(turn["role"]):
        st.markdown(turn["content"])
        if turn.get("note"):
            st.caption(turn["note"])


def _take_turn(turn: pb.ChatTurn) -> None:
    """Show the question, stream the answer, and remember both."""
    asked = {"role": "user", "content": turn.content}
    st.session_state.turns.append(asked)
    _show_turn(asked)
    with st.chat_message("assistant"):
        note: list[str] = []
        try:
            with server_errors():
                text = st.write_stream(_answer(turn, note))
        except ServerError as error:
            st.toast(f"{error.message} ({error.reason})", icon=":material/error:")
            st.error(f"{error.message} ({error.reason})")
            return
        st.caption(note[0])
    st.session_state.turns.append({"role": "assistant", "content": text, "note": note[0]})


def _answer(turn: pb.ChatTurn, note: list[str]) -> Iterator[str]:
    """Yield the answer's text; leaving early cancels the call, and with it the provider's stream."""
    call = chat().StreamChat(pb.StreamChatRequest(turn=turn), timeout=_CHAT_TIMEOUT_S)
    try:
        for response in call:
            if response.HasField("started"):
                st.session_state.conversation_id = response.started.conversation_id
            elif response.HasField("delta"):
                yield response.delta.text
            else:
                note.append(describe(response.finished))
    finally:
        call.cancel()


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

"""Chat: try a model, see what it costs, come back later. Every call is recorded like any other."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app.components.empty import read_with_placeholders
from streamlit_app.components.errors import show_connection_state, show_panel_state
from streamlit_app.components.header import plain_header
from streamlit_app.components.links import page_link
from streamlit_app.components.safe_text import literal
from streamlit_app.components.sidebar import page_area
from streamlit_app.data.chat import LiveTurn, list_models
from streamlit_app.data.conversations import list_conversations
from streamlit_app.data.reads import read_together
from streamlit_app.panels.chat_columns import PARAMETERS, Column, fill_column, start_column, to_request
from streamlit_app.panels.chat_model import (
    Instructions,
    choose_instructions,
    choose_model,
    configured_models,
)
from streamlit_app.panels.chat_turns import INPUT, show_columns
from streamlit_app.panels.conversation_actions import (
    describe_state,
    show_menu,
    show_notice,
    show_resume_button,
    title_of,
)
from streamlit_app.panels.live_answers import show_live
from streamlit_app.panels.transcript import show_question
from streamlit_app.state.recent_turns import (
    forget_refused,
    recent_turns,
    remember,
    take_next,
    take_refused,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from llm_observe.v1 import chat_service_pb2 as pb
    from llm_observe.v1.conversation_pb2 import Conversation
    from llm_observe.v1.conversation_service_pb2 import ListConversationsResponse
    from streamlit.delta_generator import DeltaGenerator

    from streamlit_app.data.reads import Read, Reads

_MAX_CHARS: Final = 100_000
_RECENT_CONVERSATIONS: Final = 8
_PLACEHOLDERS: Final = (60, 120, 60, 160)


def render() -> None:
    """Show the page."""
    st.session_state.setdefault("session_id", str(uuid.uuid4()))
    show_notice()
    head = st.empty()
    head.title("Chat", anchor=False)  # until the header is there, which a page has only one of
    with _reading() as reads:
        models = reads.start("models", list_models)
        recent = reads.start(
            "recent conversations", lambda: list_conversations(page_size=_RECENT_CONVERSATIONS)
        )
        columns = [start_column(reads, number) for number in range(2 if "compare" in st.query_params else 1)]
    _show_recent(recent)
    if not show_connection_state(reads) or not show_panel_state(models):
        return
    if any(column.is_missing for column in columns):
        _show_missing()
        return
    known = models.value or []
    for column in columns:
        fill_column(column, known)
    with head.container():
        instructions = _show_header(columns, known)
    with st.container(key="chat_wide" if len(columns) > 1 else "chat"):
        live = show_columns(columns, known, instructions)
    # Outside of the container, and so at the bottom of the page.
    asked = _show_input(columns, known)
    requests = take_next()
    if asked:
        requests = {column.number: to_request(column, asked, instructions) for column in columns}
    if requests:
        with live.container():
            _ask(columns, requests)


def _reading() -> AbstractContextManager[Reads]:
    view = tuple(st.query_params.get(parameter, "") for parameter, _ in PARAMETERS)
    if recent_turns(view[0]) or not view[0]:
        return read_together("chat", view)
    return read_with_placeholders("chat", view, _PLACEHOLDERS)


# -- the head ----------------------------------------------------------------------------------------------


def _show_header(columns: Sequence[Column], known: Sequence[pb.ProviderModels]) -> Instructions:
    conversation = columns[0].conversation
    title = title_of(conversation) if conversation else "Chat"
    with plain_header(title if len(columns) == 1 else "Compare two models"):
        if len(columns) == 1:
            if conversation and columns[0].is_closed:
                word, colour = describe_state(conversation)
                st.badge(literal(word), color=colour)
            choose_model(columns[0].model, known, parameter="model", label="The model that is asked")
        instructions = choose_instructions()
        st.button(
            "Compare" if len(columns) == 1 else "End",
            icon=":material/compare_arrows:" if len(columns) == 1 else ":material/close:",
            key="compare",
            help="Ask two models the same" if len(columns) == 1 else "Ask one model",
            on_click=_toggle_compare,
            args=(str(columns[0].model or ""), [str(model) for model in configured_models(known)]),
        )
        if conversation and len(columns) == 1:
            show_menu(conversation, key="conversation_menu")
        if columns[0].turns or len(columns) > 1:
            st.button("New chat", icon=":material/add:", key="new_chat", on_click=_begin_anew)
    return instructions


def _toggle_compare(model: str, models: Sequence[str]) -> None:
    """Begin to compare, or end it: with an empty conversation, so that the models know the same."""
    is_comparing = "compare" in st.query_params
    _begin_anew()
    if is_comparing:
        st.query_params.pop("compare", None)
    else:
        st.query_params["model"] = model
        st.query_params["compare"] = next((other for other in models if other != model), model)


def _begin_anew() -> None:
    forget_refused()
    for parameter, _ in PARAMETERS:
        st.query_params.pop(parameter, None)


def _show_recent(recent: Read[ListConversationsResponse]) -> None:
    """List the conversations of late in the sidebar."""
    found = recent.value.conversations if recent.value else ()
    if not found:
        return
    with page_area().container(gap=None, key="recent_conversations"):
        st.caption("Recent")
        shown = st.query_params.get("conversation")
        for number, conversation in enumerate(found):
            is_shown = conversation.conversation_id == shown
            with st.container(gap=None, key="recent_shown" if is_shown else f"recent_{number}"):
                page_link(
                    title_of(conversation),
                    "chat",
                    icon=":material/chat_bubble:",
                    conversation=conversation.conversation_id,
                )
        page_link("All conversations", "conversations")


def _show_missing() -> None:
    with st.container(border=True, horizontal_alignment="center", key="missing"):
        st.markdown("**There is no such conversation: it may have been deleted.**", width="content")
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.button("New chat", icon=":material/add:", key="new_chat", on_click=_begin_anew)
            page_link("All conversations", "conversations")


# -- asking ------------------------------------------------------------------------------------------------


def _show_input(columns: Sequence[Column], known: Sequence[pb.ProviderModels]) -> str | None:
    """Show the input, or why there is none; return what was sent."""
    closed = next((column.conversation for column in columns if column.is_closed), None)
    with st.bottom:
        if closed:
            _show_closed(closed)
            return None
        if any(column.model and column.model.provider == "demo" for column in columns):
            _show_demo(known)
    refused = take_refused()
    if refused:
        st.session_state[INPUT] = refused
    sent = st.chat_input(
        "Message",
        key=INPUT,
        max_chars=_MAX_CHARS,
        submit_mode="stop",
        disabled=not all(column.model for column in columns),
    )
    return str(sent) if sent else None


def _show_closed(conversation: Conversation) -> None:
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="closed"):
        word, _ = describe_state(conversation)
        st.markdown(f"This conversation is {literal(word)}.", width="content")
        st.space("stretch")
        show_resume_button(conversation, key="resume")


def _show_demo(known: Sequence[pb.ProviderModels]) -> None:
    missing = [entry.required_setting for entry in known if not entry.configured]
    is_alone = all(entry.provider == "demo" for entry in known if entry.configured)
    way = f"Set {' or '.join(missing)} to ask" if is_alone else "Choose another model above for"
    st.caption(
        ":gray-badge[:material/science: demo] "
        + literal(f"No model is called: the demo repeats what you write, for free. {way} a real one.")
    )


def _ask(columns: Sequence[Column], requests: dict[int, pb.ChatTurn]) -> None:
    """Ask, show the answers while they come, then draw the page anew with what came of them."""
    live = {number: LiveTurn(request) for number, request in requests.items()}
    remember(list(live.values()))
    show_question(next(iter(live.values())).turn)
    places: list[DeltaGenerator] = [st.container()] if len(columns) == 1 else list(st.columns(2))
    show_live(live, dict(enumerate(places)), _keep_conversation)
    for number, turn in live.items():
        _keep_conversation(number, turn)
    st.rerun()


def _keep_conversation(number: int, live: LiveTurn) -> None:
    """Put the conversation into the URL."""
    parameter = PARAMETERS[number][0]
    if live.conversation_id and st.query_params.get(parameter) != live.conversation_id:
        st.query_params[parameter] = live.conversation_id

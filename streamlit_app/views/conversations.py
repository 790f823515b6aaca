"""Conversations: what did people talk about, and where did it fail?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.empty import read_with_placeholders
from streamlit_app.components.errors import show_connection_state, show_panel_state
from streamlit_app.components.header import plain_header
from streamlit_app.components.links import page_link
from streamlit_app.components.safe_text import literal
from streamlit_app.data.chat import list_models
from streamlit_app.data.conversations import MAX_MESSAGES, get_conversation, list_calls, list_conversations
from streamlit_app.data.turns import Turn, to_turns
from streamlit_app.panels.conversation_actions import (
    describe_state,
    is_closed,
    show_menu,
    show_notice,
    show_resume_button,
    title_of,
)
from streamlit_app.panels.conversation_list import Search, clear_search, show_cards, show_pages, show_search
from streamlit_app.panels.transcript import describe_gap, show_answer, show_question, show_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.conversation_pb2 import Conversation
    from llm_observe.v1.conversation_service_pb2 import GetConversationResponse, ListConversationsResponse
    from llm_observe.v1.log_pb2 import Log

    from streamlit_app.data.reads import Read

_PLACEHOLDERS: Final = (40, 480)


def render() -> None:
    """Show the page."""
    show_notice()
    with plain_header("Conversations"):
        st.button("", icon=":material/refresh:", key="refresh", help="Refresh now", shortcut="u")
        page_link("New chat", "chat", icon=":material/add:")
    search = Search.from_url()
    chosen_id = st.query_params.get("conversation", "")
    with read_with_placeholders("conversations", (search, chosen_id), _PLACEHOLDERS) as reads:
        found = reads.start("list", lambda: _list(search))
        models = reads.start("models", list_models, roles=("chat",))
        stored = reads.start("conversation", lambda: get_conversation(chosen_id)) if chosen_id else None
        calls = reads.start("calls", lambda: list_calls(chosen_id), roles=("read",)) if chosen_id else None
    if not show_connection_state(reads):
        return
    if found.value and not found.value.total_count and not search.narrows and not stored:
        _show_none()
        return
    # Of the two columns, a phone shows one: see style.css.
    key = "with_transcript" if stored else "without_transcript"
    with st.container(horizontal=True, gap="medium", key=key):
        with st.container(key="list", width=430 if stored else "stretch"):
            providers = [entry.provider for entry in models.value or []]
            _show_list(search, found, providers, chosen_id)
        if stored:
            with st.container(key="transcript"):
                _show_transcript(stored, calls)


def _list(search: Search) -> ListConversationsResponse:
    return list_conversations(
        page=search.page,
        page_size=search.size,
        states=search.asked_states,
        provider=search.provider,
        text=search.text,
    )


def _show_list(
    search: Search, found: Read[ListConversationsResponse], providers: Sequence[str], chosen_id: str
) -> None:
    show_search(search, providers)
    if not show_panel_state(found) or not found.value:
        return
    if not found.value.conversations:
        _show_no_match(search)
        return
    show_cards(found.value, chosen_id)
    show_pages(search, found.value)


def _show_none() -> None:
    with st.container(border=True, horizontal_alignment="center", key="none"):
        st.subheader("No conversations yet", anchor=False, width="content")
        st.caption("What is asked on the Chat page is kept here.", width="content")
        page_link("Open Chat", "chat")


def _show_no_match(search: Search) -> None:
    words = [f"“{search.text}”"] if search.text else []
    words += [f"state {' or '.join(search.states)}"] if search.states else []
    words += [f"provider {search.provider}"] if search.provider else []
    with st.container(border=True, horizontal_alignment="center", key="no_match"):
        sentence = f"No conversation matches {', '.join(words)}." if words else "This page is empty."
        st.markdown(f"**{literal(sentence)}**", width="content")
        st.button(
            "Clear filters" if words else "First page",
            icon=":material/filter_alt_off:",
            key="clear",
            on_click=clear_search,
        )


def _show_transcript(stored: Read[GetConversationResponse], calls: Read[list[Log]] | None) -> None:
    with st.container(key="back"):
        st.button("All conversations", icon=":material/arrow_back:", key="close", on_click=_close)
    if stored.error and not stored.error.unreachable:
        st.warning("There is no such conversation: it may have been deleted.", icon=":material/search_off:")
        return
    if not stored.value:
        return
    conversation = stored.value.conversation
    turns = to_turns(stored.value.messages, (calls.value if calls else None) or ())
    _show_head(conversation, turns)
    if calls:
        show_panel_state(calls)
    if conversation.message_count > MAX_MESSAGES:
        shown = f"The last {MAX_MESSAGES} of {conversation.message_count:,} messages; an export has all."
        st.caption(literal(shown))
    before = None
    for number, turn in enumerate(turns):
        if _has_failed(turn):
            st.html(f'<span id="turn-{number + 1}"></span>')
        show_question(turn, describe_gap(before, turn))
        for attempt, answer in enumerate(turn.answers):
            show_answer(answer, key=f"{number}_{attempt}")
        if not turn.answers:
            st.caption(":material/hourglass_empty: No answer was stored.")
        before = next((answer.time for answer in reversed(turn.answers) if answer.time), None)


def _show_head(conversation: Conversation, turns: Sequence[Turn]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="transcript_head"):
        st.header(literal(title_of(conversation)), anchor=False, width="content")
        word, colour = describe_state(conversation)
        st.badge(literal(word), color=colour)
        st.space("stretch")
        if is_closed(conversation):
            show_resume_button(conversation, key="resume")
        else:
            page_link(
                "Continue in Chat", "chat", icon=":material/forum:", conversation=conversation.conversation_id
            )
        found = conversation.conversation_id
        page_link("Logs", "logs", icon=":material/list_alt:", conversation=found, window="30d")
        show_menu(conversation, key="transcript_menu")
    show_sums(turns)
    began = fmt.exact_time(fmt.timestamp(conversation.create_time), clock.viewer_zone())
    st.caption(
        literal(f"Began {began}"),
        help=literal(f"Conversation {conversation.conversation_id}, session {conversation.session_id}"),
    )
    failed = [number + 1 for number, turn in enumerate(turns) if _has_failed(turn)]
    if failed:
        links = ", ".join(f"[turn {number}](#turn-{number})" for number in failed)
        st.markdown(f":red[:material/error: {len(failed)} failed:] {links}")


def _has_failed(turn: Turn) -> bool:
    return any(answer.failed for answer in turn.answers)


def _close() -> None:
    st.query_params.pop("conversation", None)

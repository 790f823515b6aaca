"""The list of conversations: search, cards, and pages. All of it is in the URL but what is ticked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import streamlit as st
from llm_observe.v1.conversation_pb2 import (
    CONVERSATION_STATE_ACTIVE,
    CONVERSATION_STATE_CANCELLED,
    CONVERSATION_STATE_COMPLETED,
)

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.access import role_button
from streamlit_app.components.safe_text import literal, small, without_markup
from streamlit_app.panels.conversation_actions import (
    complete_all,
    confirm_deletion,
    describe_state,
    is_closed,
    title_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_observe.v1.conversation_pb2 import Conversation, ConversationState
    from llm_observe.v1.conversation_service_pb2 import ListConversationsResponse

SIZES: Final = (10, 20, 50)
_DEFAULT_SIZE: Final = 20
_STATES: Final[Mapping[str, ConversationState.ValueType]] = {
    "active": CONVERSATION_STATE_ACTIVE,
    "completed": CONVERSATION_STATE_COMPLETED,
    "cancelled": CONVERSATION_STATE_CANCELLED,
}
_MAX_SEARCH_CHARS: Final = 200
_PREVIEW_CHARS: Final = 140
_ANY: Final = "any provider"


class Search(NamedTuple):
    """What the URL says of the list."""

    text: str = ""
    states: tuple[str, ...] = ()
    provider: str = ""
    page: int = 1
    size: int = _DEFAULT_SIZE

    @classmethod
    def from_url(cls) -> Search:
        """Read the URL; what cannot be is left out."""
        query = st.query_params
        return cls(
            query.get("q", "")[:_MAX_SEARCH_CHARS],
            tuple(state for state in query.get_all("state") if state in _STATES),
            query.get("provider", ""),
            max(1, _to_number(query.get("page", ""), 1)),
            size if (size := _to_number(query.get("size", ""), _DEFAULT_SIZE)) in SIZES else _DEFAULT_SIZE,
        )

    @property
    def asked_states(self) -> list[ConversationState.ValueType]:
        """The states as the server names them."""
        return [_STATES[state] for state in self.states]

    @property
    def narrows(self) -> bool:
        """Whether anything but pages is chosen."""
        return bool(self.text or self.states or self.provider)


def _to_number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 7 else default  # noqa: PLR2004 - pages are never a million


def show_search(search: Search, providers: Sequence[str]) -> None:
    """Show the controls above the list."""
    state = st.session_state
    state["list_text"], state["list_states"] = search.text, list(search.states)
    state["list_provider"] = search.provider or _ANY
    st.text_input(
        "Search",
        key="list_text",
        max_chars=_MAX_SEARCH_CHARS,
        placeholder="Search titles and messages",
        icon=":material/search:",
        label_visibility="collapsed",
        on_change=_narrow,
        args=("q", "list_text"),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="list_filters"):
        st.pills(
            "State",
            list(_STATES),
            selection_mode="multi",
            key="list_states",
            label_visibility="collapsed",
            on_change=_narrow,
            args=("state", "list_states"),
        )
        st.space("stretch")
        st.selectbox(
            "Provider",
            [_ANY, *dict.fromkeys([*providers, *([search.provider] if search.provider else [])])],
            key="list_provider",
            width=150,
            label_visibility="collapsed",
            on_change=_narrow,
            args=("provider", "list_provider"),
        )


def _narrow(parameter: str, widget: str) -> None:
    value = st.session_state[widget]
    st.query_params.pop("page", None)
    if value and value != _ANY:
        st.query_params[parameter] = value
    else:
        st.query_params.pop(parameter, None)


def clear_search() -> None:
    """Take the filters away. Call it in a callback."""
    for parameter in ("q", "state", "provider", "page"):
        st.query_params.pop(parameter, None)


def show_cards(found: ListConversationsResponse, chosen_id: str) -> None:
    """Show a card for each conversation, and what can be done with those that are ticked."""
    ticked = [each for each in found.conversations if st.session_state.get(_tick(each))]
    _show_bulk(ticked, found)
    with st.container(gap="xsmall", key="cards"):
        for conversation in found.conversations:
            _show_card(conversation, is_chosen=conversation.conversation_id == chosen_id)


def _show_bulk(ticked: Sequence[Conversation], found: ListConversationsResponse) -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", gap="xsmall", key="bulk" if ticked else "count"
    ):
        if not ticked:
            count = found.total_count
            st.caption(
                literal(f"{count:,} conversation{'' if count == 1 else 's'}, latest first"), width="content"
            )
            return
        st.markdown(literal(f"{len(ticked)} chosen"), width="content")
        st.space("stretch")
        if role_button(
            "Complete",
            "chat",
            icon=":material/check_circle:",
            key="complete_ticked",
            disabled=all(map(is_closed, ticked)),
        ):
            complete_all(ticked)
        if role_button("Delete", "chat", icon=":material/delete:", key="delete_ticked"):
            confirm_deletion(ticked)
        st.button(
            "", icon=":material/close:", key="untick", help="Choose none", on_click=_untick, args=(ticked,)
        )


def _tick(conversation: Conversation) -> str:
    return f"tick_{conversation.conversation_id}"


def _untick(conversations: Sequence[Conversation]) -> None:
    for each in conversations:
        st.session_state[_tick(each)] = False


def _show_card(conversation: Conversation, *, is_chosen: bool) -> None:
    kind = "chosen" if is_chosen else "card"
    with st.container(border=True, gap=None, key=f"{kind}_{conversation.conversation_id}"):
        with st.container(
            horizontal=True,
            vertical_alignment="center",
            gap="xsmall",
            wrap=False,
            key=f"title_{conversation.conversation_id}",
        ):
            st.checkbox(
                literal(f"Choose {title_of(conversation)}"),
                key=_tick(conversation),
                label_visibility="collapsed",
                width="content",
            )
            # Its style makes the whole card a target.
            st.button(
                f"**{literal(title_of(conversation))}**",
                key=f"open_{conversation.conversation_id}",
                type="tertiary",
                on_click=_open,
                args=(conversation.conversation_id,),
            )
            st.space("stretch")
            _show_time(conversation)
        preview = without_markup(conversation.last_message_preview)[:_PREVIEW_CHARS]
        st.caption(literal(preview) or "no text is stored")
        st.markdown(_describe(conversation))


def _show_time(conversation: Conversation) -> None:
    time = fmt.timestamp(conversation.update_time)
    st.caption(
        literal(fmt.ago(time, clock.now())),
        width="content",
        help=literal(fmt.exact_time(time, clock.viewer_zone())),
    )


def _describe(conversation: Conversation) -> str:
    count = conversation.message_count
    parts = [f"{count:,} message{'' if count == 1 else 's'}"]
    if conversation.model:
        parts.insert(0, f"{conversation.provider} · {conversation.model}")
    word, colour = describe_state(conversation)
    badge = f" :{literal(colour)}-badge[{literal(word)}]" if is_closed(conversation) else ""
    return small(" · ".join(parts)) + badge


def _open(conversation_id: str) -> None:
    st.query_params["conversation"] = conversation_id


def show_pages(search: Search, found: ListConversationsResponse) -> None:
    """Show the page numbers, and how many conversations are on a page."""
    state = st.session_state
    pages = max(1, found.total_pages)
    page = min(search.page, pages)
    state["list_size"] = search.size
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="list_pages"):
        if pages > 1:
            widget = f"list_page_{page}"  # of its page, as the URL may change without it
            st.pagination(pages, default=page, key=widget, on_change=_turn_page, args=(widget,))
        st.space("stretch")
        st.selectbox(
            "Conversations on a page",
            SIZES,
            key="list_size",
            width=105,
            format_func=lambda size: f"{size} rows",
            label_visibility="collapsed",
            on_change=_resize,
        )


def _turn_page(widget: str) -> None:
    page = st.session_state[widget]
    if page == 1:
        st.query_params.pop("page", None)
    else:
        st.query_params["page"] = str(page)


def _resize() -> None:
    st.query_params.pop("page", None)
    size = st.session_state["list_size"]
    if size == _DEFAULT_SIZE:
        st.query_params.pop("size", None)
    else:
        st.query_params["size"] = str(size)

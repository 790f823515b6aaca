"""Questions that were asked in this session: the server tells of them a moment later, and of some never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_observe.v1.chat_service_pb2 import ChatTurn

    from streamlit_app.data.chat import LiveTurn

_RECENT: Final = "recent_turns"
_NEXT: Final = "next_requests"
_MAX_RECENT: Final = 40


def recent_turns(conversation_id: str) -> list[LiveTurn]:
    """Return what was asked in a conversation, oldest first; ``""`` is one that has not begun."""
    return [live for live in _all() if live.conversation_id == conversation_id]


def remember(live: Sequence[LiveTurn]) -> None:
    """Add questions that are being answered. Forget those that the server refused: they are asked anew."""
    kept = [turn for turn in _all() if turn.was_accepted]
    st.session_state[_RECENT] = [*kept, *live][-_MAX_RECENT:]


def forget_refused() -> None:
    """Forget questions that the server did not take."""
    remember([])


def take_refused() -> str:
    """Return a question that the server did not take, once, to be put back to where it was written."""
    for live in _all():
        if not live.was_accepted and not live.was_returned and live.wait(0):
            live.was_returned = True
            return live.request.content
    return ""


def ask_next(requests: Mapping[int, ChatTurn]) -> None:
    """Have the page ask when it runs next: a request for each column. Call it in a callback."""
    st.session_state[_NEXT] = dict(requests)


def take_next() -> dict[int, ChatTurn]:
    """Return what to ask now, once."""
    requests: dict[int, ChatTurn] = st.session_state.pop(_NEXT, {})
    return requests


def _all() -> list[LiveTurn]:
    turns: list[LiveTurn] = st.session_state.get(_RECENT, [])
    return turns

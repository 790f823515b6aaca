"""What can be done with conversations: rename, complete, cancel, resume, export, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import streamlit as st
from llm_observe.limits import MAX_TITLE_CHARS
from llm_observe.v1.conversation_pb2 import (
    CONVERSATION_STATE_ACTIVE,
    CONVERSATION_STATE_CANCELLED,
    CONVERSATION_STATE_COMPLETED,
)

from streamlit_app.components.access import role_button
from streamlit_app.components.errors import show_error
from streamlit_app.components.safe_text import literal
from streamlit_app.data import conversations as data
from streamlit_app.data import exports
from streamlit_app.data.connection import ServerError
from streamlit_app.roles import may

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llm_observe.v1.conversation_pb2 import Conversation, ConversationState

_Colour = Literal["green", "gray", "orange"]
STATES: Final[Mapping[ConversationState.ValueType, tuple[str, _Colour]]] = {
    CONVERSATION_STATE_ACTIVE: ("active", "green"),
    CONVERSATION_STATE_COMPLETED: ("completed", "gray"),
    CONVERSATION_STATE_CANCELLED: ("cancelled", "orange"),
}
_RENAME: Final = ":material/edit: Rename"
_COMPLETE: Final = ":material/check_circle: Complete"
_CANCEL: Final = ":material/block: Cancel"
_RESUME: Final = ":material/play_circle: Resume"
_EXPORT: Final = ":material/download: Export"
_DELETE: Final = ":red[:material/delete: Delete]"
_DONE: Final = "conversation_notice"


def describe_state(conversation: Conversation) -> tuple[str, _Colour]:
    """Return the word and the colour of a conversation's state."""
    return STATES.get(conversation.state, ("unknown", "gray"))


def is_closed(conversation: Conversation) -> bool:
    """Whether a conversation takes no more messages until it is resumed."""
    return conversation.state in {CONVERSATION_STATE_CANCELLED, CONVERSATION_STATE_COMPLETED}


def title_of(conversation: Conversation) -> str:
    """Return the title, or what stands for one."""
    return " ".join(conversation.title.split()) or "Untitled"


def show_notice() -> None:
    """Say what the last action did; at the beginning of a page."""
    notice = st.session_state.pop(_DONE, None)
    if notice:
        st.toast(literal(notice), icon=":material/check:")


def show_menu(conversation: Conversation, *, key: str) -> None:
    """Show the menu of a conversation, and do what is chosen. Who may not chat can export it."""
    states = [_RESUME] if is_closed(conversation) else [_COMPLETE, _CANCEL]
    actions = [_RENAME, *states, _EXPORT, _DELETE] if may("chat") else [_EXPORT]
    chosen = st.menu_button("", actions, icon=":material/more_vert:", key=key, help="More")
    if chosen not in actions:
        return
    if chosen == _RENAME:
        _rename(conversation)
    elif chosen == _EXPORT:
        _export(conversation)
    elif chosen == _DELETE:
        confirm_deletion([conversation])
    else:
        _change_state(conversation, chosen)


def show_resume_button(conversation: Conversation, *, key: str) -> None:
    """Show the button that lets a conversation go on."""
    if role_button("Resume", "chat", icon=":material/play_circle:", kind="primary", key=key):
        _change_state(conversation, _RESUME)


def complete_all(conversations: Sequence[Conversation]) -> None:
    """Complete several conversations; those that are cancelled stay so."""
    active = [each for each in conversations if not is_closed(each)]
    count = len(active)

    def complete_each() -> None:
        for each in active:
            data.complete(each.conversation_id)

    _do(complete_each, f"Completed {count} conversation{'' if count == 1 else 's'}")


def _change_state(conversation: Conversation, action: str) -> None:
    change, words = {
        _COMPLETE: (data.complete, "Completed"),
        _CANCEL: (data.cancel, "Cancelled"),
        _RESUME: (data.resume, "Resumed"),
    }[action]
    _do(lambda: change(conversation.conversation_id), f"{words} “{title_of(conversation)}”")


def _do(action: Callable[[], object], notice: str) -> None:
    try:
        action()
    except ServerError as error:
        show_error(error, retry=False)
        return
    st.session_state[_DONE] = notice
    st.rerun()


@st.dialog("Rename conversation")
def _rename(conversation: Conversation) -> None:
    with st.form("rename", border=False):
        title = st.text_input("Title", conversation.title, max_chars=MAX_TITLE_CHARS)
        if st.form_submit_button("Save", type="primary") and title.strip():
            _do(lambda: data.rename(conversation.conversation_id, title.strip()), "Renamed")


@st.dialog("Export conversation")
def _export(conversation: Conversation) -> None:
    st.caption(literal(f"“{title_of(conversation)}”, as it is stored, with every message."))
    try:
        messages = data.list_all_messages(conversation.conversation_id)
    except ServerError as error:
        show_error(error)
        return
    left, right = st.columns(2)
    left.download_button(
        "Markdown",
        exports.to_markdown(conversation, messages),
        exports.file_name(conversation, "md"),
        "text/markdown",
        icon=":material/description:",
        on_click="ignore",
        width="stretch",
    )
    right.download_button(
        "JSON",
        exports.to_json(conversation, messages),
        exports.file_name(conversation, "json"),
        "application/json",
        icon=":material/data_object:",
        on_click="ignore",
        width="stretch",
    )


@st.dialog("Delete for ever?")
def confirm_deletion(conversations: Sequence[Conversation]) -> None:
    """Ask before deleting: the dialog names what would be gone."""
    count = sum(each.message_count for each in conversations)
    messages = f"{count:,} message{'' if count == 1 else 's'}"
    if len(conversations) == 1:
        what = f"“{title_of(conversations[0])}” with its {messages}"
    else:
        what = f"{len(conversations)} conversations with {messages} together"
    st.markdown(f"**{literal(what)}** will be deleted. This cannot be undone.")
    for each in conversations[:10] if len(conversations) > 1 else ():
        st.caption(literal(f"{title_of(each)} · {each.message_count:,} messages"))
    st.caption("The logs of the calls stay, with their numbers.")
    keep, delete = st.columns(2)
    if keep.button("Keep", width="stretch", key="keep"):
        st.rerun()
    if delete.button("Delete", type="primary", icon=":material/delete:", width="stretch", key="delete"):
        _delete(conversations)


def _delete(conversations: Sequence[Conversation]) -> None:
    def delete_each() -> None:
        for each in conversations:
            data.delete(each.conversation_id)
            if st.query_params.get("conversation") == each.conversation_id:
                del st.query_params["conversation"]

    single = f"“{title_of(conversations[0])}”" if len(conversations) == 1 else ""
    _do(delete_each, f"Deleted {single or f'{len(conversations)} conversations'}")

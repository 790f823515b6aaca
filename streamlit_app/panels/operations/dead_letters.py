"""Dead letters: grouped by reason, shown with their payload, replayed and discarded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.access import role_button
from streamlit_app.components.dialogs import close_dialog, forget_dialog, open_dialog
from streamlit_app.components.errors import show_error
from streamlit_app.components.safe_text import literal
from streamlit_app.data.connection import ServerError
from streamlit_app.data.operations import discard_dead_letters, get_dead_letter, replay_dead_letters
from streamlit_app.panels.operations.common import show_rows, time_column
from streamlit_app.panels.operations.verdict import count

if TYPE_CHECKING:
    from datetime import datetime

    from llm_observe.v1.admin_service_pb2 import DeadLetter

    from streamlit_app.data.operations import DeadLetters

_WIDTH_PX: Final = 720
_MEANINGS: Final = {
    "refused": "the database refused them",
    "foreign_log": "their log_id belongs to another project",
    "unparsable": "they could not be read",
    "invalid_content": "they hold a value that no row can hold",
    "killed_worker": "workers died of them",
}
Change = Callable[[Sequence[str]], Iterator[int]]


@dataclass(slots=True)
class Group:
    """Dead letters with the same reason, newest first."""

    reason: str
    letters: list[DeadLetter] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return [letter.dead_letter_id for letter in self.letters]

    @property
    def log_count(self) -> int:
        """Logs in them."""
        return sum(letter.log_count for letter in self.letters)

    @property
    def first(self) -> datetime:
        """When one of them was tried first."""
        return min(fmt.timestamp(letter.first_attempt_time) for letter in self.letters)

    @property
    def last(self) -> datetime:
        """When one of them was tried last."""
        return max(fmt.timestamp(letter.last_attempt_time) for letter in self.letters)


def group_by_reason(letters: Sequence[DeadLetter]) -> list[Group]:
    """Return the groups, the largest first."""
    groups: dict[str, Group] = {}
    for letter in letters:
        groups.setdefault(letter.reason, Group(letter.reason)).letters.append(letter)
    return sorted(groups.values(), key=lambda group: (-len(group.letters), group.reason))


def meaning(reason: str) -> str:
    """Return a reason in words."""
    if reason.startswith("failed:"):
        return f"storing them failed: {reason.removeprefix('failed:')}"
    return _MEANINGS.get(reason, reason)


def show_dead_letters(found: DeadLetters, *, can_change: bool) -> None:
    """Show the groups; a click on one opens its letters. ``can_change`` is False for settled ones."""
    groups = group_by_reason(found.letters)
    rows = [
        {
            "Reason": group.reason,
            "Dead letters": len(group.letters),
            "Logs": group.log_count,
            "Meaning": meaning(group.reason),
            "First": group.first,
            "Last": group.last,
            "Sample": group.letters[0].message,
        }
        for group in groups
    ]
    column = st.column_config
    row = show_rows(
        rows,
        {
            "Reason": column.TextColumn(width=180),
            "Meaning": column.TextColumn(width=270),
            "Dead letters": column.NumberColumn(format="localized", width=90),
            "Logs": column.NumberColumn(format="localized", width=70),
            "First": time_column("First"),
            "Last": time_column("Last"),
            "Sample": column.TextColumn("Latest message", width="large"),
        },
        key=f"dead_letters {can_change}",
        alt="Dead letters by reason",
    )
    if not found.is_whole:
        st.caption(literal(f"The newest {fmt.exact(len(found.letters))} are shown; there are more."))
    if row is not None:
        _go_to_letter(0)
        open_dialog(partial(_show_drawer, groups[row], can_change))


def show_change_buttons(letters: Sequence[DeadLetter], *, what: str = "", key: str) -> None:
    """Show the buttons that replay and discard dead letters; each asks first."""
    ids = [letter.dead_letter_id for letter in letters]
    logs = sum(letter.log_count for letter in letters)
    words = what or f"all {fmt.exact(len(ids))}"
    if role_button(f"Replay {words}", "admin", icon=":material/replay:", key=f"replay_{key}"):
        open_dialog(partial(_confirm_replay, ids, logs))
    if role_button(f"Discard {words}", "admin", icon=":material/delete:", key=f"discard_{key}"):
        open_dialog(partial(_confirm_discard, ids, logs))


# -- the drawer --------------------------------------------------------------------------------------------


@st.dialog("Dead letters", width=_WIDTH_PX, position="right", on_dismiss=forget_dialog)
def _show_drawer(group: Group, can_change: bool) -> None:  # noqa: FBT001 - called by partial
    number = _choose_letter(len(group.letters))
    letter = group.letters[number]
    try:
        letter = get_dead_letter(letter.dead_letter_id)
    except ServerError as error:
        show_error(error)
    _show_letter(letter)
    if can_change:
        st.divider()
        with st.container(horizontal=True, gap="xsmall"):
            show_change_buttons([letter], what="this one", key="one")
            if len(group.letters) > 1:
                show_change_buttons(
                    group.letters, what=f"all {fmt.exact(len(group.letters))} of this reason", key="group"
                )


def _choose_letter(total: int) -> int:
    """Show which one is open, and how to get to the others; return its number."""
    number: int = min(st.session_state.get("dead_letter", 0), total - 1)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="letter_row"):
        for label, step, icon, shortcut in (
            ("Newer", -1, ":material/arrow_upward:", "k"),
            ("Older", 1, ":material/arrow_downward:", "j"),
        ):
            st.button(
                literal(label),
                icon=icon,
                key=f"letter_{label}",
                shortcut=shortcut,
                disabled=not 0 <= number + step < total,
                on_click=_go_to_letter,
                args=(number + step,),
            )
        st.caption(literal(f"{fmt.exact(number + 1)} of {fmt.exact(total)}, newest first"), width="content")
    return number


def _go_to_letter(number: int) -> None:
    st.session_state["dead_letter"] = number


def _show_letter(letter: DeadLetter) -> None:
    zone = clock.viewer_zone()
    st.markdown(f"**{literal(letter.reason)}** · {literal(meaning(letter.reason))}")
    st.text(letter.message)
    st.dataframe(
        [
            {"Field": "Logs", "Value": fmt.exact(letter.log_count)},
            {"Field": "Attempts", "Value": fmt.exact(letter.attempt_count)},
            {
                "Field": "First attempt",
                "Value": fmt.exact_time(fmt.timestamp(letter.first_attempt_time), zone),
            },
            {"Field": "Last attempt", "Value": fmt.exact_time(fmt.timestamp(letter.last_attempt_time), zone)},
            {"Field": "Producer", "Value": letter.producer_id or fmt.NOTHING},
            {"Field": "Log", "Value": letter.log_id or fmt.NOTHING},
            {"Field": "Dead letter", "Value": letter.dead_letter_id},
        ],
        hide_index=True,
        row_height=28,
    )
    if letter.payload_json:
        st.caption("Payload, redacted")
        st.code(pretty(letter.payload_json), language="json", wrap_lines=True, height=320)


def pretty(payload_json: str) -> str:
    """Return JSON with line breaks; as it is if it is none."""
    try:
        return json.dumps(json.loads(payload_json), indent=2, ensure_ascii=False)
    except ValueError:
        return payload_json


# -- changes -----------------------------------------------------------------------------------------------


@st.dialog("Replay dead letters?", on_dismiss=forget_dialog)
def _confirm_replay(ids: Sequence[str], log_count: int) -> None:
    st.markdown(
        f"**{literal(_amount(ids, log_count))}** will be put into the queue again. Logs that are stored "
        "already are not counted twice. What fails again comes back here."
    )
    _change(f"Replay {fmt.exact(len(ids))}", replay_dead_letters, ids, "queued again")


@st.dialog("Discard dead letters?", on_dismiss=forget_dialog)
def _confirm_discard(ids: Sequence[str], log_count: int) -> None:
    st.markdown(
        f"**{literal(_amount(ids, log_count))}** will never be stored. They stay listed as discarded and "
        "stay counted in the ledger, but cannot be replayed any more. **This cannot be undone.**"
    )
    _change(f"Discard {fmt.exact(len(ids))}", discard_dead_letters, ids, "discarded")


def _amount(ids: Sequence[str], log_count: int) -> str:
    return f"{count(len(ids), 'dead letter')} with {count(log_count, 'log')}"


def _change(label: str, change: Change, ids: Sequence[str], done_words: str) -> None:
    """Show the buttons of a question; carry it out with a progress bar."""
    with st.container(horizontal=True, gap="small"):
        if st.button("Cancel", key="dialog_cancel"):
            close_dialog()
        confirmed = st.button(literal(label), type="primary", key="dialog_confirm")
    if not confirmed:
        return
    bar, done = st.progress(0.0, text="Started"), 0
    try:
        for done in change(ids):
            words = f"{fmt.exact(done)} of {fmt.exact(len(ids))} {done_words}"
            bar.progress(min(1.0, done / len(ids)), text=literal(words))
    except ServerError as error:
        show_error(error, retry=False)
        return
    rest = len(ids) - done
    others = f"; {fmt.exact(rest)} had changed in the meantime" if rest else ""
    close_dialog(f"{count(done, 'dead letter')} {done_words}{others}")

"""Answers of reports and SQL, kept for the session: a click elsewhere on the page asks nothing again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.safe_text import literal
from streamlit_app.data.connection import ServerError
from streamlit_app.data.reports import RunningQuestion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from streamlit_app.data.reports import Answer
    from streamlit_app.state.questions import Question

_KEPT: Final = "answers"
_CANCELLED: Final = "cancelled_question"
_MAX_KEPT: Final = 12
_MAX_BYTES: Final = 96 << 20
"""A report has at most 64 MB."""
_POLL_S: Final = 0.25
_FINAL: Final = frozenset({"SQL_REFUSED", "SQL_FAILED", "SQL_LIMIT_EXCEEDED", "INVALID_FIELD"})
"""Errors of the question itself: asking again would not help."""


@dataclass(slots=True)
class Outcome:
    """What became of a question. ``answer`` may be older than ``error``."""

    answer: Answer | None = None
    error: ServerError | None = None
    read_time: datetime | None = None
    took_s: float = 0.0
    is_cancelled: bool = False

    @property
    def is_final(self) -> bool:
        """Whether asking again would find the same."""
        return self.error is None or self.error.reason in _FINAL


def kept_outcome(question: Question) -> Outcome | None:
    """Return what became of a question before."""
    return _kept().get(question)


def ask(question: Question, heights: Sequence[int], *, anew: bool = False) -> Outcome:
    """Return what becomes of a question. It is asked if that is not known yet, or ``anew``.

    Meanwhile there are placeholders of these heights in pixels, the time that has passed, and a way to stop.
    Any other click stops it likewise.
    """
    kept = _kept()
    before = kept.get(question)
    if anew:
        st.session_state.pop(_CANCELLED, None)
    elif st.session_state.get(_CANCELLED) == question:
        return Outcome(is_cancelled=True)
    elif before is not None and before.is_final:
        kept.move_to_end(question)
        return before
    outcome = _run(question, heights)
    if outcome.error is not None and not outcome.is_final and before is not None:
        outcome.answer, outcome.read_time, outcome.took_s = before.answer, before.read_time, before.took_s
    kept[question] = outcome
    kept.move_to_end(question)
    _forget_oldest(kept)
    return outcome


def forget(question: Question) -> None:
    """Ask a question again, even if it was cancelled. For callbacks."""
    _kept().pop(question, None)
    st.session_state.pop(_CANCELLED, None)


def _kept() -> OrderedDict[Question, Outcome]:
    kept: OrderedDict[Question, Outcome] = st.session_state.setdefault(_KEPT, OrderedDict())
    return kept


def _run(question: Question, heights: Sequence[int]) -> Outcome:
    now = clock.now()
    place = st.empty()
    with place.container(key="running"):
        with st.container(horizontal=True, vertical_alignment="center"):
            passed = st.empty()
            st.button("Stop", icon=":material/stop_circle:", on_click=_cancel, args=(question,))
        for height in heights:
            st.skeleton(height=height)
    try:
        running = RunningQuestion(question, question.window.bounds(now).to_time_range(now))
        try:
            while (answer := running.wait(_POLL_S)) is None:
                # Where Streamlit stops the page, if somebody clicks on something.
                seconds = fmt.duration(float(round(_seconds_since(now))))
                passed.caption(f":material/hourglass_top: Running, {literal(seconds)}", width="content")
        finally:
            running.cancel()
    except ServerError as error:
        return Outcome(error=error)
    finally:
        place.empty()
    return Outcome(answer, read_time=now, took_s=_seconds_since(now))


def _seconds_since(time: datetime) -> float:
    return (clock.now() - time).total_seconds()


def _cancel(question: Question) -> None:
    st.session_state[_CANCELLED] = question


def _forget_oldest(kept: OrderedDict[Question, Outcome]) -> None:
    def size_bytes() -> int:
        return sum(outcome.answer.table.nbytes for outcome in kept.values() if outcome.answer)

    while len(kept) > 1 and (len(kept) > _MAX_KEPT or size_bytes() > _MAX_BYTES):
        kept.popitem(last=False)

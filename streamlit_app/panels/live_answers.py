"""Shows answers while they come, with a timer and a button that stops them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app.components.safe_text import literal
from streamlit_app.panels.transcript import ANSWERED_BY, show_answer_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streamlit.delta_generator import DeltaGenerator

    from streamlit_app.data.chat import LiveTurn

_REDRAW_S: Final = 0.12
"""Least time between two states of an answer on the page: each is parsed from its beginning."""
_CURSOR: Final = "\u258d"
_NOTICE_STOP_S: Final = 1.0


def show_live(
    live: Mapping[int, LiveTurn],
    places: Mapping[int, DeltaGenerator],
    begun: Callable[[int, LiveTurn], None],
) -> None:
    """Show answers as they come, each in its place, until all have ended.

    ``begun`` is called for each as soon as its conversation is known. Whatever interrupts this, such as the
    stop button or leaving the page, ends the calls; nothing can be shown afterwards.
    """
    drawings = {column: _Drawing(places[column], turn) for column, turn in live.items()}
    # Its first run is now; the browser asks for others, which wait while the page runs.
    st.fragment(_draw_stopped, run_every=_NOTICE_STOP_S, key="notice_stop")(list(live.values()), [])
    try:
        while not _wait(list(live.values())):
            for column, drawing in drawings.items():
                drawing.draw()
                if live[column].conversation_id:
                    begun(column, live[column])
    finally:
        for turn in live.values():
            turn.stop()


def _wait(live: Sequence[LiveTurn]) -> bool:
    """Wait until it is time to draw; return whether all answers have ended."""
    ended = [turn.wait(_REDRAW_S / len(live)) for turn in live]  # of each, so that none delays another
    return all(ended)


def _draw_stopped(live: list[LiveTurn], runs: list[None]) -> None:
    """Draw the page anew after the stop button of the input, which ends the page's run and no more."""
    runs.append(None)
    if len(runs) > 1 and all(turn.wait(0) for turn in live):
        st.rerun()


class _Drawing:
    def __init__(self, place: DeltaGenerator, live: LiveTurn) -> None:
        self._live = live
        with place, st.chat_message("assistant", avatar=ANSWERED_BY):
            self._text = st.empty()
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                self._status = st.empty()
                # Any click runs the page anew, which ends the call.
                st.button("Stop", icon=":material/stop:", key=f"stop_{id(live)}", type="tertiary")
        self.draw()

    def draw(self) -> None:
        live = self._live
        if live.answer.text:
            show_answer_text(self._text, f"{live.answer.text} {_CURSOR}")
        name = live.answer.model or live.answer.provider
        words = "answering" if live.answer.text else "waiting for the first token"
        self._status.caption(
            f"**{literal(name)}** · {literal(words)} · {literal(f'{live.elapsed_s:.1f} s')}", width="content"
        )
